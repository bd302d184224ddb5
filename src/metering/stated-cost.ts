import { insertAudit } from "../keys/audit-rows.ts";
import { runKeyChange } from "../keys/key-rows.ts";
import type { Actor } from "../keys/managed-key.ts";
import { formatUsd } from "../money.ts";
import type { Database } from "../store/database.ts";
import { mapTokenCounts, type RequestRow, STATE, type State } from "./record.ts";
import { lockRow, settleLockedRow } from "./sql/settlements.ts";

/**
 * The largest cost in US dollars that an operator can state. No request costs as much, and a settled row cannot be changed, so a
 * missing decimal point must not be accepted.
 */
export const STATED_USD_MAX = 1_000;

/** The cost of a request, as an operator states it. */
export interface StatedCost {
  /** Id of the row in the ledger. */
  readonly id: string;
  readonly costNanodollars: number;
  /** The operator's source of the cost, for the audit table. */
  readonly reason: string;
  readonly by: Actor;
}

/** The row was settled, or it has another state than `unknown`; undefined: there is no such row. */
export type StatedCostResult = { readonly settled: RequestRow } | { readonly state: State } | undefined;

/**
 * Settles a row whose cost is unknown with the cost that an operator states, and corrects its rollups and budgets. The change
 * and its audit entry are one transaction.
 */
export async function settleStatedCost(
  database: Database,
  { id, costNanodollars, reason, by }: StatedCost,
): Promise<StatedCostResult> {
  return runKeyChange(database, async (change) => {
    const { transaction } = change;
    const before = await lockRow(database, transaction, id);
    if (!before) return undefined;
    if (before.state !== STATE.unknown) return { state: before.state };
    const { is_byok, upstream_inference_nanodollars, provider, response_model } = before;
    const settled = await settleLockedRow(database, transaction, {
      before,
      settlement: {
        state: STATE.settled,
        cost_source: "operator",
        cost_nanodollars: costNanodollars,
        ...mapTokenCounts((name) => before[name]),
        is_byok,
        upstream_inference_nanodollars,
        provider,
        response_model,
      },
    });
    if (!settled) return { state: before.state };
    const details = { row: id, cost_usd: formatUsd(costNanodollars), reason };
    await insertAudit(change, { at: Date.now(), by, action: "state_cost", keyId: before.key_id, details });
    return { settled };
  });
}
