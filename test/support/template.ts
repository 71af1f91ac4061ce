/** Compiler options that `pulumi new typescript` writes, as of Pulumi 3.248. The target is es2020; newer projects may have es2022. */
export const TEMPLATE = {
  strict: true,
  outDir: "bin",
  module: "nodenext",
  moduleResolution: "nodenext",
  sourceMap: true,
  experimentalDecorators: true,
  pretty: true,
  noFallthroughCasesInSwitch: true,
  noImplicitReturns: true,
  forceConsistentCasingInFileNames: true,
} as const;
