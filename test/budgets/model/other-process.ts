import assert from "node:assert/strict";
import { OrphanRecovery } from "../../../src/metering/orphan-recovery.ts";
import { mapTokenCounts } from "../../../src/metering/record.ts";
import { adoptOrphans, heartbeat } from "../../../src/metering/sql/instances.ts";
import { settleRow } from "../../../src/metering/sql/settlements.ts";
import { writeRequests } from "../../../src/metering/sql/upsert.ts";
import type { Database } from "../../../src/store/database.ts";
import type { Reference } from "./reference.ts";

// Another process does this to the requests of a process that is dead, or that seems dead.

const HOUR_MS = 3_600_000;
const DEAD_AFTER_MS = 60_000;

/** Replays the journals in a directory. */
export async function replayJournals(database: Database, directory: string): Promise<void> {
  const failures: unknown[] = [];
  const recovery = new OrphanRecovery({
    database,
    directory,
    instance: "recovery",
    lostAfterMs: HOUR_MS,
    write: (rows) => writeRequests(database, rows),
    readRetentionCutoff: () => Promise.resolve(0),
    onExpired: () => {},
    onClockSkew: () => {},
    onUnknown: () => {},
    onRecovered: () => {},
    onFailure: (error) => failures.push(error),
  });
  await recovery.runOnce();
  await recovery.stop();
  assert.deepEqual(failures, []);
}

/** Takes over the requests of all processes that are not `live`. @param isLongSilent whether they are silent for an hour. */
export async function adoptAllBut(
  database: Database,
  live: readonly string[],
  isLongSilent: boolean,
): Promise<void> {
  await database.kysely.deleteFrom("instances").execute();
  for (const instance of live) await heartbeat(database, instance);
  const lostAfterMs = isLongSilent ? DEAD_AFTER_MS : HOUR_MS;
  await adoptOrphans(database, { deadAfterMs: DEAD_AFTER_MS, lostAfterMs });
}

/** Settles pending and unknown requests with their bills. @param limit maximum number of requests. */
export async function lookUpCosts(database: Database, reference: Reference, limit: number): Promise<void> {
  const pending = await database.kysely
    .selectFrom("requests")
    .select(["id", "request_id"])
    .where("state", "in", ["pending", "unknown"])
    .where("generation_id", "is not", null)
    .orderBy("id")
    .limit(limit)
    .execute();
  for (const { id, request_id } of pending) {
    const request = reference.requests.get(request_id);
    // Upstream has ended a request that was taken over, although its own process still reads the response.
    if (request?.isAdopted) request.billed ??= request.worstCase >> 2;
    if (request?.billed === undefined) continue;
    await settleRow(database, id, {
      state: "settled",
      cost_nanodollars: request.billed,
      cost_source: "generation",
      ...mapTokenCounts(() => null),
      is_byok: null,
      upstream_inference_nanodollars: null,
      provider: null,
      response_model: null,
    });
    request.isBillKnown = true;
  }
}
