import type { Command } from "commander";
import {
  type DeadLease,
  type LeaseReleaseResult,
  readDeadLeases,
  releaseDeadLeases,
} from "../metering/dead-leases.ts";
import { formatUsd } from "../money.ts";
import { formatOptionalTimestamp, formatTimestamp } from "../presentation/timestamp.ts";
import type { RunCommand } from "./keys.ts";
import { CommandError, printResult } from "./session.ts";

/** Maximum number of leases that the command lists. */
const LISTED_MAX = 10_000;

const REFUSALS: Readonly<Record<Extract<LeaseReleaseResult, { refusal: string }>["refusal"], string>> = {
  alive:
    "This process has sent a heartbeat in the last minute, so it needs its leases. Stop it; it then returns them itself.",
  open_requests:
    "The ledger has open requests of this process. Start a gateway with its DATA_DIR, which recovers its journal. If the journal is lost, use --force: requests that no row records then count as 0.",
  not_presumed:
    "No gateway has counted this process as dead yet: after an outage of the database, running gateways look dead for some seconds. Wait two minutes while a gateway runs. If none runs, check that the process has ended, and use --force.",
  no_leases: "No process with this id has leases; list them with: leases",
};

/** Adds `leases` and `leases release`. */
export function addLeasesCommand(program: Command, run: RunCommand): void {
  const leases = program
    .command("leases")
    .description("list and release the money of budgets that dead gateways hold")
    .option("--json", "print JSON", false)
    .action(({ json }: { json: boolean }) =>
      run(async ({ database }) => {
        const found = (await readDeadLeases(database, LISTED_MAX)).map(toLeaseJson);
        printResult(found, found, json, "leases of dead gateways");
      }),
    );
  leases
    .command("release <instance>")
    .description("give the leases of a dead gateway back to their budgets")
    .option(
      "--force",
      "release them although the ledger has open requests of the gateway, or no gateway has presumed them",
      false,
    )
    .action((instance: string, { force: isForced }: { force: boolean }) =>
      run(async ({ database, by }) => {
        const result = await releaseDeadLeases(database, { instance, isForced, by });
        if ("refusal" in result) throw new CommandError(REFUSALS[result.refusal]);
        const released = result.released.map(({ id: { scope, period, startsAt }, nanodollars }) => ({
          budget: scope,
          period,
          starts_at: formatStart(period, startsAt),
          released_usd: formatUsd(nanodollars),
        }));
        printResult(released, released, false, "leases");
      }),
    );
}

function toLeaseJson({
  instance,
  scope,
  period,
  starts_at,
  amount_nanodollars,
  seen_at,
  is_expired,
}: DeadLease) {
  return {
    instance,
    last_heartbeat: formatOptionalTimestamp(seen_at),
    budget: scope,
    period,
    starts_at: formatStart(period, starts_at),
    amount_usd: formatUsd(amount_nanodollars),
    presumed: is_expired === 1,
  };
}

function formatStart(period: string, startsAt: number): string | null {
  return period === "total" ? null : formatTimestamp(startsAt);
}
