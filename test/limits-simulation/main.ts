// `npm run sim:limits`: uses up budgets through gateways that are killed, and compares the limits with upstream's bills.
import { parseArgs } from "node:util";
import { startPostgres } from "../support/postgres.ts";
import { formatFigures } from "./figures.ts";
import { simulateLimits } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "200" },
    requests: { type: "string", default: "100" },
    gateways: { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
    store: { type: "string", default: "both" },
    logs: { type: "boolean", default: false },
  },
});

for (const store of values.store === "both" ? ["postgres", "sqlite"] : [values.store]) {
  const postgres = store === "postgres" ? await startPostgres() : undefined;
  const startedAt = performance.now();
  const verdict = await simulateLimits({
    clients: Number(values.clients),
    requestsEach: Number(values.requests),
    gateways: postgres ? Number(values.gateways) : 1,
    plan: { seed: Number(values.seed), responsePart: [0.05, 0.4] },
    postgres,
    ...(values.logs && { onLine: (line) => process.stderr.write(`${line}\n`) }),
  });
  await postgres?.close();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const { violations } = verdict;
  process.stdout.write(
    `${store}: ${seconds} s, ${violations.length} violations\n\n${formatFigures(verdict)}\n`,
  );
  for (const violation of violations) process.stdout.write(`  ${violation}\n`);
  if (violations.length > 0) process.exitCode = 1;
}
