import { expect, test } from "vitest";
import { mapTokenCounts } from "../../src/metering/record.ts";
import { settleRow } from "../../src/metering/sql/settlements.ts";
import { BudgetProcess, endRequest, receiveHead } from "../support/budget-process.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import type { OpenDatabase } from "../support/ledger-rows.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { adoptAllBut } from "./model/other-process.ts";

const KEY = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });

/** Tests of processes that another process took for dead, for every database. */
export function mistakenExpiryContract(open: OpenDatabase): void {
  test("a live process whose lease has expired is not refused for its own lease", async () => {
    const database = await open();
    const replica = new BudgetReplica({ database, instance: "a" });
    const running = await replica.admit(KEY, 800);
    await adoptAllBut(database, [], false);
    await expect(replica.admit(KEY, 500)).rejects.toMatchObject({ code: "budget_reserved" });
    const waiting = replica.admit(KEY, 900);
    await running.end({ state: "settled", cost_nanodollars: 100 });
    await (await waiting).end({ state: "settled", cost_nanodollars: 900 });
  });

  test("a live process whose request was adopted and settled does not spend the rest of the reservation again", async () => {
    const database = await open();
    const process = new BudgetProcess({
      database,
      databaseUrl: undefined,
      dataDir: createTemporaryDirectory(),
      replicas: 1,
      waitMs: 300,
      now: () => Date.now(),
      mayBePresumedDead: () => true,
    });
    const context = await process.begin(KEY, await process.reserve(KEY, 900), { id: "req-1" });
    receiveHead(context, "gen-1");
    const findRow = async () => {
      const row = await database.kysely
        .selectFrom("requests")
        .select(["id", "generation_id"])
        .executeTakeFirst();
      return row?.generation_id === "gen-1" ? row : undefined;
    };
    const { id } = await waitUntil(findRow, "the open row");
    await adoptAllBut(database, [], false);
    await settleRow(database, id, {
      state: "settled",
      cost_nanodollars: 100,
      cost_source: "generation",
      ...mapTokenCounts(() => null),
      is_byok: null,
      upstream_inference_nanodollars: null,
      provider: null,
      response_model: null,
    });
    endRequest(context, 100);
    await new BudgetReplica({ database, instance: "b" }).admit(KEY, 800);
    await expect(process.reserve(KEY, 700)).rejects.toMatchObject({ code: "budget_reserved" });
    await process.close();
  });
}
