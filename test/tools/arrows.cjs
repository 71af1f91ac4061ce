/*
 * Which folder may import which: dependency-cruiser enforces it (`npm run lint`), and the generator of the documents
 * draws it (docs/explanation/architecture.svg).
 */

/** What each folder, and the program itself, may import, beside itself and packages. */
const ARROWS = {
  config: [],
  contract: ["config"],
  node: ["config"],
  components: ["config", "contract", "node"],
  clients: ["config", "contract", "node"],
  commands: ["config", "contract", "node", "clients"],
  examples: ["contract"],
  policies: ["config"],
  "index.ts": ["config", "contract", "components", "clients"],
  "docs/generator": ["config", "contract", "clients", "commands"],
};

const rules = Object.entries(ARROWS).map(([folder, allowed]) => ({
  name: `${folder} imports ${allowed.join(", ") || "nothing of ours"}`,
  severity: "error",
  from: { path: `^${folder.replace(".", "\\.")}(/|$)` },
  to: {
    path: "^(?!node_modules/).*\\.",
    dependencyTypes: ["local"],
    pathNot: `^(${[folder, ...allowed].join("|")})/`,
  },
}));

module.exports = {
  forbidden: [
    ...rules,
    {
      name: "nothing but the tests imports the lab",
      severity: "error",
      from: { pathNot: "^(lab|test)/" },
      to: { path: "^lab/" },
    },
    {
      name: "no circle",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "what runs in production is a dependency",
      severity: "error",
      from: { path: "^(index\\.ts|clients|commands|components|config|contract|node)" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"],
      },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(coverage|\\.lab)/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
    },
  },
};
