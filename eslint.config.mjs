import eslint from "@eslint/js";
import prettier from "eslint-config-prettier";
import tseslint from "typescript-eslint";
import { VERBS } from "./test/tools/verbs.mjs";

/** A function is named by a verb, or by more than one word. */
const UNNAMED = `Identifier[name=/^[a-z0-9]+$/]:not([name=/^(${VERBS.join("|")})$/])`;
const FUNCTIONS = [
  `FunctionDeclaration > ${UNNAMED}.id`,
  `MethodDefinition[kind='method'] > ${UNNAMED}.key`,
  `VariableDeclarator[init.type='ArrowFunctionExpression'] > ${UNNAMED}.id`,
];

/** One that acts, which returns nothing or takes time, begins with a verb; `with…` runs another one with something. */
const NO_VERB_FIRST = `Identifier:not([name=/^(${[...VERBS, "with"].join("|")})([A-Z0-9].*)?$/])`;
const acting = (path) =>
  [
    `[${path}async=true]`,
    `[${path}returnType.typeAnnotation.typeName.name='Promise']`,
    `[${path}returnType.typeAnnotation.type=/^TS(Void|Never)Keyword$/]`,
  ].join(", ");
const ACTING_FUNCTIONS = [
  `FunctionDeclaration:matches(${acting("")}) > ${NO_VERB_FIRST}.id`,
  `MethodDefinition[kind='method']:matches(${acting("value.")}) > ${NO_VERB_FIRST}.key`,
  `VariableDeclarator[init.type='ArrowFunctionExpression']:matches(${acting("init.")}) > ${NO_VERB_FIRST}.id`,
];

/** Of a function, in every language that ESLint reads. */
const LINES = { max: 25, skipComments: true, skipBlankLines: true };

export default tseslint.config(
  { ignores: ["node_modules/", "coverage/", "dist/", ".lab/", "examples/*/node_modules/"] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ["**/*.ts"] })),
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "max-lines-per-function": ["error", LINES],
      "@typescript-eslint/explicit-module-boundary-types": "error",
      // Numbers and booleans print the same everywhere; anything else in a template must be a string.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["**/*.cjs", "**/*.mjs"],
    rules: { "max-lines-per-function": ["error", LINES] },
  },
  {
    files: ["test/**/*.cjs", "test/**/*.mjs"],
    languageOptions: { globals: { process: "readonly", require: "readonly", module: "writable" } },
  },
  {
    files: ["{clients,commands,config,contract,docs,lab,node,policies}/**/*.ts"],
    rules: { "max-lines": ["error", { max: 200 }] },
  },
  {
    files: ["components/**/*.ts", "index.ts"],
    rules: { "max-lines": ["error", { max: 160 }] },
  },
  {
    files: ["**/*.ts"],
    ignores: ["test/**", "examples/**"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: FUNCTIONS.join(", "),
          message: "Name the function by a verb of test/tools/verbs.mjs, or by more than one word.",
        },
        {
          selector: ACTING_FUNCTIONS.join(", "),
          message: "Begin the name of a function that acts with a verb of test/tools/verbs.mjs.",
        },
      ],
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: { "max-lines-per-function": "off" },
  },
  prettier,
);
