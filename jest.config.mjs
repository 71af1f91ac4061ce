// ts-jest compiles without type checks: `npm run types` checks the whole tree once, and quicker.
const base = {
  testEnvironment: "node",
  transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false }] },
};

const project = (displayName) => ({
  ...base,
  displayName,
  testMatch: [`<rootDir>/test/${displayName}/**/*.test.ts`],
});

export default {
  // Many tests run real shells and compilers, on machines that may be busy: nothing is to be learnt from 5 s.
  testTimeout: 120_000,
  testSequencer: "<rootDir>/test/sequencer.mjs",
  projects: [project("unit"), project("contract"), project("lab")],
  collectCoverageFrom: [
    "{clients,commands,components,config,contract,node,policies}/**/*.ts",
    "index.ts",
  ],
  // The rest of commands and clients runs in processes of its own, or needs a server: the lab's tests run it, uncounted.
  coverageThreshold: {
    global: { lines: 95 },
    "./commands/": { lines: 85 },
    "./clients/": { lines: 88 },
  },
};
