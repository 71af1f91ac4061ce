/** What others answer is parsed, not believed. */
import type { z } from "zod";
import { problemsOf } from "../config/issues";
import { describeProblem, type Problem } from "../config/problems";

/** An answer of another shape than its sender documents. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
}

/** How many differences are told: the first ones say enough. */
const TOLD = 3;

/**
 * An answer, as its schema describes it; what the schema does not name passes or is left out, as it says.
 *
 * @param asked what was asked, such as `GET /version`
 * @throws AnswerError naming what was asked, the field and what was found
 */
export function parsed<T extends z.ZodType>(
  schema: T,
  answer: unknown,
  asked: string,
): z.output<T> {
  const result = schema.safeParse(answer, { reportInput: true });
  if (result.success) return result.data;
  const problems = problemsOf(result.error, []).slice(0, TOLD).map(described);
  throw new AnswerError(`the answer to ${asked} is not as expected: ${problems.join("; ")}`);
}

/**
 * JSON text, parsed likewise.
 * @throws AnswerError also when it is no JSON
 */
export function parsedJson<T extends z.ZodType>(
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
  return parsed(schema, answer, asked);
}

/** A map or a list is not shown: there may be a secret in it. */
function described({ path, value, ...problem }: Problem): string {
  const found = Array.isArray(value) ? "a list" : "a map";
  const hidden = typeof value === "object" && value !== null ? { found } : {};
  return describeProblem({ ...problem, value, ...hidden, path: path.length > 0 ? path : ["all"] });
}
