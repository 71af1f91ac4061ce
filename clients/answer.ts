/** Checks the answers of other systems against a schema before anything uses them. */
import type { z } from "zod";
import { problemsOf, valueAt } from "../config/issues";
import { describeProblem, type Problem } from "../config/problems";

/** An answer that does not have the documented shape. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
}

/** How many differences a message names: the first ones say enough. */
const TOLD = 3;

/**
 * Checks an answer against its schema. The schema says whether fields that it does not name stay or are left out.
 *
 * @param asked what was asked, such as `GET /version`
 * @throws AnswerError naming what was asked, the field and what was found
 */
export function parseAnswer<T extends z.ZodType>(
  schema: T,
  answer: unknown,
  asked: string,
): z.output<T> {
  const result = schema.safeParse(answer, { reportInput: true });
  if (result.success) return result.data;
  const problems = problemsOf(result.error, [])
    .slice(0, TOLD)
    .map((problem) => describeFound(asAnswered(problem, answer)));
  throw new AnswerError(`the answer to ${asked} is not as expected: ${problems.join("; ")}`);
}

/**
 * Parses JSON text and checks it in the same way.
 * @throws AnswerError also when it is no JSON
 */
export function parseJson<T extends z.ZodType>(
  schema: T,
  text: string,
  asked: string,
): z.output<T> {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new AnswerError(`the answer to ${asked} is not JSON`);
  }
  return parseAnswer(schema, answer, asked);
}

/** The problem with the value as it came: a text that is no number is NaN once zod has made a number of it. */
function asAnswered(problem: Problem, answer: unknown): Problem {
  if (!Number.isNaN(problem.value)) return problem;
  const value = problem.path.reduce<unknown>((within, key) => valueAt(within, key), answer);
  return { ...problem, value };
}

/** Describes a problem. A map or a list is not shown, because it may hold a secret. */
function describeFound({ path, value, ...problem }: Problem): string {
  const found = Array.isArray(value) ? "a list" : "a map";
  const hidden = typeof value === "object" && value !== null ? { found } : {};
  return describeProblem({ ...problem, value, ...hidden, path: path.length > 0 ? path : ["all"] });
}
