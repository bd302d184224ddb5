// `npm run soak`: puts one gateway under mixed load with faults, and checks its ledger against the simulator's charges.
import { parseArgs } from "node:util";
import { runSoak } from "./soak.ts";

const SHOWN = 20;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "8" },
    callers: { type: "string", default: "48" },
    seed: { type: "string", default: "1" },
  },
});

const { violations, figures } = await runSoak({
  minutes: Number(values.minutes),
  clients: Number(values.callers),
  seed: Number(values.seed),
});
process.stdout.write(
  `${JSON.stringify({ minutes: Number(values.minutes), ...figures, violations: violations.length })}\n`,
);
for (const violation of violations.slice(0, SHOWN)) process.stdout.write(`  ${violation}\n`);
if (violations.length > 0) process.exitCode = 1;
