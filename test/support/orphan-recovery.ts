import { HOUR_MS } from "../../src/durations.ts";
import { onTestFinished } from "vitest";
import { OrphanRecovery, type OrphanRecoveryOptions } from "../../src/metering/orphan-recovery.ts";
import type { RecoveryResult } from "../../src/metering/journal/replay.ts";
import { createQuarantiningWriter } from "../../src/metering/quarantining-writer.ts";
import type { Database } from "../../src/store/database.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { openTestDatabase } from "./test-database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/** Starts an orphan recovery with its own monotonic clock, and records the calls of its callbacks. */
export async function startOrphanRecovery(options: Partial<OrphanRecoveryOptions> = {}) {
  const database = options.database ?? (await openTestDatabase());
  const directory = options.directory ?? createTemporaryDirectory();
  const unknown: string[] = [];
  const refused: string[] = [];
  const recovered: RecoveryResult[] = [];
  const failures: unknown[] = [];
  const expired: number[] = [];
  const skews: number[] = [];
  const clock = { now: 0 };
  const orphanRecovery = new OrphanRecovery({
    database,
    directory,
    instance: "me",
    lostAfterMs: HOUR_MS,
    now: () => clock.now,
    write: createQuarantiningWriter({
      write: (rows) => writeRequests(database, rows),
      isInvalidRow,
      quarantine: ({ id }) => refused.push(id),
    }),
    readRetentionCutoff: () => Promise.resolve(0),
    onExpired: (count) => expired.push(count),
    onClockSkew: (aheadMs) => skews.push(aheadMs),
    onUnknown: (rows) => unknown.push(...rows.map(({ id }) => id)),
    onRecovered: (found) => recovered.push(found),
    onFailure: (error) => failures.push(error),
    ...options,
  });
  onTestFinished(() => orphanRecovery.stop());
  orphanRecovery.start();
  return {
    database,
    directory,
    orphanRecovery,
    clock,
    unknown,
    refused,
    recovered,
    failures,
    expired,
    skews,
  };
}

/** Returns each row as its id and state. */
export const readStates = async ({ kysely }: Database): Promise<string[]> =>
  (await kysely.selectFrom("requests").select(["id", "state"]).orderBy("id").execute()).map(
    ({ id, state }) => `${id} ${state}`,
  );
