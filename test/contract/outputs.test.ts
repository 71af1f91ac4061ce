import { z } from "zod";
import { CONTRACT } from "../../contract/schema";
import {
  outputFields,
  outputsPage,
  recordOutputs,
  type OutputsRecord,
} from "../../docs/generator/outputs";
import recorded from "./outputs.json";

/** What other stacks rely on, version by version, is in outputs.json; `npm run docs` writes it, never loses from it. */

const RECORDED: OutputsRecord = recorded;

test("every output is as recorded for this version of the contract", () => {
  expect(recordOutputs(RECORDED, CONTRACT, outputFields())).toEqual(RECORDED);
  expect(Object.keys(RECORDED).map(Number)).toEqual(
    Array.from({ length: CONTRACT }, (_, index) => index + 1),
  );
});

describe("a change of the contract", () => {
  const choice = z.enum(["x", "y"]);
  const before = z.object({ a: z.string(), b: z.object({ c: z.int().optional() }), d: choice });
  const first = recordOutputs({}, 1, outputFields(before));

  test("is recorded by path, type and whether it is always there", () => {
    expect(first).toEqual({
      "1": { a: "string", b: "object", "b.c": "integer?", d: '`"x"` or `"y"`' },
    });
  });

  test.each([
    [
      "removes",
      z.object({ b: z.object({ c: z.int().optional() }), d: choice }),
      "a: was string, is gone",
    ],
    [
      "renames",
      z.object({ a: z.string(), b: z.object({ d: z.int().optional() }), d: choice }),
      "b.c: was integer?, is gone",
    ],
    [
      "makes something else of",
      z.object({ a: z.int(), b: z.object({ c: z.int().optional() }), d: choice }),
      "a: was string, is integer",
    ],
    [
      "no longer always gives",
      z.object({ a: z.string().optional(), b: z.object({ c: z.int().optional() }), d: choice }),
      "a: was string, is string?",
    ],
    [
      "allows any text where there was a choice, of",
      z.object({ a: z.string(), b: z.object({ c: z.int().optional() }), d: z.string() }),
      'd: was `"x"` or `"y"`, is string',
    ],
    [
      "takes a value from",
      z.object({ a: z.string(), b: z.object({ c: z.int().optional() }), d: z.enum(["x", "z"]) }),
      'd: was `"x"` or `"y"`, is `"x"` or `"z"`',
    ],
  ])("that %s an output is refused, and in order under a new version", (_, after, message) => {
    const fields = outputFields(after);
    expect(() => recordOutputs(first, 1, fields)).toThrow(
      `raise CONTRACT (1) in contract/schema.ts\n  ${message}`,
    );
    expect(Object.keys(recordOutputs(first, 2, fields))).toEqual(["1", "2"]);
  });

  test("that adds one or a value, or always gives one from now on, leaves the version", () => {
    const after = z.object({
      a: z.string(),
      b: z.object({ c: z.int() }),
      d: z.enum(["x", "y", "z"]),
      e: z.array(z.string()),
    });
    expect(recordOutputs(first, 1, outputFields(after))["1"]).toEqual({
      a: "string",
      b: "object",
      "b.c": "integer",
      d: '`"x"` or `"y"` or `"z"`',
      e: "list of string",
    });
  });
});

test("the page describes every output", () => {
  const page = outputsPage();
  for (const { path } of outputFields())
    expect(page).toContain(`| \`${path.replace(/^nodes\.<name>\./, "")}\` |`);
});
