// `npm run sim`: sends many requests through gateways, kills the gateways meanwhile, and verifies their ledger.
import { parseArgs } from "node:util";
import { startPostgres } from "../support/postgres.ts";
import { runSimulation } from "./simulate.ts";

const SHOWN = 20;

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
    store: { type: "string", default: "both" },
  },
});

for (const store of values.store === "both" ? ["sqlite", "postgres"] : [values.store]) {
  const postgres = store === "postgres" ? await startPostgres() : undefined;
  const startedAt = performance.now();
  const { differences, ...figures } = await runSimulation({
    requests: Number(values.requests),
    seed: Number(values.seed),
    databaseUrl: await postgres?.createDatabase(),
  });
  await postgres?.close();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(
    `${store}: ${JSON.stringify({ ...figures, seconds, differences: differences.length })}\n`,
  );
  for (const difference of differences.slice(0, SHOWN)) process.stdout.write(`  ${difference}\n`);
  if (differences.length > 0) process.exitCode = 1;
}
