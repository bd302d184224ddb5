/**
 * Mutation testing in three parts, each against the tests that are about it: a mutant of a constant runs them all, so
 * three small sets cost a fraction of one large. `MUTATE` names the part. See docs/development.md.
 */
const PARTS = {
  headers: { mutate: ["src/http/headers.ts"], tests: ["http/headers*.test.ts"] },
  request: { mutate: ["src/request/**/*.ts"], tests: ["request/!(body-cost|hostile-bodies).test.ts"] },
  relay: {
    mutate: ["src/relay/**/*.ts"],
    tests: [
      "relay/*.test.ts",
      "http/headers.test.ts",
      "http/upstream-errors.test.ts",
      "limits/in-flight.test.ts",
      "lifecycle.test.ts",
    ],
  },
};

const part = process.env["MUTATE"] ?? "";
if (!Object.hasOwn(PARTS, part)) throw new Error(`set MUTATE to one of: ${Object.keys(PARTS).join(", ")}`);
const { mutate, tests } = PARTS[part];
const reports = `coverage/mutation/${part}`;

export default {
  testRunner: "vitest",
  coverageAnalysis: "perTest",
  mutate,
  // What is not copied into the sandbox is not run. `testFiles` would be the option for that, but mutants of constants
  // are not activated with it (stryker-js#6144). tsconfig.json stays out because Stryker would rewrite it by an API that
  // TypeScript 7 does not have, and nothing here needs it.
  ignorePatterns: [
    "/*",
    "!/package.json",
    "!/vitest.config.ts",
    "!/src",
    "!/test",
    "/tools/*",
    "!/tools/simulator",
    "/test/**/*.test.ts",
    ...tests.map((path) => `!/test/${path}`),
  ],
  concurrency: 2,
  timeoutMS: 10_000,
  tempDirName: `${reports}/tmp`,
  reporters: ["clear-text", "html", "json"],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  htmlReporter: { fileName: `${reports}/index.html` },
  jsonReporter: { fileName: `${reports}/mutation.json` },
  thresholds: { high: 95, low: 90, break: 90 },
};
