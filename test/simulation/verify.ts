import type { Simulator } from "../../tools/simulator/simulator.ts";
import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { formatRequestId, type ClientOutcome } from "./clients.ts";

/** Results of a simulation. */
export interface Verdict {
  /** Descriptions of all differences; empty if the ledger is right. */
  readonly differences: readonly string[];
  readonly rows: number;
  readonly unknown: number;
  readonly settledByGeneration: number;
  /** Rows of killed processes. */
  readonly interrupted: number;
  readonly ledgerNanodollars: number;
  /** Billed cost of requests whose rows are unknown. */
  readonly unknownNanodollars: number;
  /**
   * The part of `unknownNanodollars` for clients that disconnect early and received no response head. For some of them,
   * the gateway was killed or upstream failed first.
   */
  readonly unknownLeftBeforeHeadNanodollars: number;
  /** The same part as a percentage of the total billed cost. */
  readonly unknownLeftBeforeHeadPercent: number;
  readonly billedNanodollars: number;
}

/** The clients' views of their responses, and the ids of their keys. */
interface Clients {
  readonly outcomes: readonly ClientOutcome[];
  readonly keyIds: readonly string[];
}

/** Compares the ledger with the clients' views and with the costs upstream billed, to the nanodollar. */
export async function verifyLedger(
  { kysely }: Database,
  simulator: Simulator,
  { outcomes, keyIds }: Clients,
): Promise<Verdict> {
  const rows = await kysely.selectFrom("requests").selectAll().execute();
  const hours = await kysely.selectFrom("rollups").selectAll().execute();
  const days = await kysely.selectFrom("rollups_daily").selectAll().execute();
  const differences: string[] = [];
  const byRequest = uniqueBy(rows, (row) => row.request_id, differences);
  uniqueBy(
    rows.filter(({ generation_id: id }) => id !== null),
    (row) => row.generation_id ?? "",
    differences,
  );
  const outcomesById = new Map(outcomes.map((outcome) => [formatRequestId(outcome.planned.number), outcome]));
  const expected = new Map<string, number>(keyIds.map((id) => [id, 0]));
  let unknownNanodollars = 0;
  let unknownLeftBeforeHeadNanodollars = 0;
  for (const { headers, generationId } of simulator.seen) {
    const id = headers["x-session-id"];
    if (typeof id !== "string") continue;
    const row = byRequest.get(id);
    const billed = (generationId !== undefined && simulator.findBilledNanodollars(generationId)) || 0;
    const outcome = outcomesById.get(id);
    const key = keyIds[outcome?.planned.key ?? 0] ?? "";
    if (!row) differences.push(`${id}: upstream received it, but it has no row`);
    else if (row.state === "unknown") {
      unknownNanodollars += billed;
      if (outcome?.planned.disconnectsAfterMs !== undefined && outcome.status === 0)
        unknownLeftBeforeHeadNanodollars += billed;
    } else expected.set(key, (expected.get(key) ?? 0) + billed);
    if (row && row.state !== "unknown" && row.cost_nanodollars !== billed)
      differences.push(
        `${id}: the row has cost ${row.cost_nanodollars} (${row.cost_source}), upstream billed ${billed}`,
      );
    if (row && row.key_id !== key) differences.push(`${id}: the row has key ${row.key_id} instead of ${key}`);
  }
  for (const row of rows) checkRow(row, outcomesById.get(row.request_id), differences);
  for (const [key, billed] of expected)
    for (const rollups of [hours, days]) compareSums(key, rows, rollups, billed, differences);
  const { billedNanodollars } = simulator.readStats();
  const ledgerNanodollars = rows.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0);
  if (ledgerNanodollars + unknownNanodollars !== billedNanodollars)
    differences.push(
      `total: ${ledgerNanodollars} in the ledger + ${unknownNanodollars} unknown, upstream billed ${billedNanodollars}`,
    );
  return {
    differences,
    rows: rows.length,
    unknown: rows.filter(({ state }) => state === "unknown").length,
    interrupted: rows.filter(({ outcome }) => outcome === "interrupted").length,
    settledByGeneration: rows.filter((row) => row.cost_source === "generation").length,
    ledgerNanodollars,
    unknownNanodollars,
    unknownLeftBeforeHeadNanodollars,
    unknownLeftBeforeHeadPercent: (100 * unknownLeftBeforeHeadNanodollars) / billedNanodollars,
    billedNanodollars,
  };
}

/** Models whose responses have no generation id and do not prove a refusal. */
const UNPROVEN = /"sim\/(?:close|reset:head=0|html)"/;

function checkRow(row: RequestRow, outcome: ClientOutcome | undefined, differences: string[]): void {
  const { request_id: id, state, generation_id: generationId } = row;
  if (!outcome) differences.push(`${id}: it has a row, but no client sent it`);
  if (state !== "settled" && state !== "unknown") differences.push(`${id}: its row is still ${state}`);
  if (state !== "unknown") return;
  if (generationId !== null) differences.push(`${id}: its row is unknown, but has a generation id`);
  if (outcome?.generationId !== undefined)
    differences.push(`${id}: its row is unknown, but its client received the generation id`);
  if (row.outcome !== "interrupted" && !UNPROVEN.test(outcome?.planned.body ?? ""))
    differences.push(`${id}: its row is unknown, but its response proved the cost`);
}

function uniqueBy(
  rows: readonly RequestRow[],
  keyOf: (row: RequestRow) => string,
  differences: string[],
): Map<string, RequestRow> {
  const known = new Map<string, RequestRow>();
  for (const row of rows) {
    if (known.has(keyOf(row))) differences.push(`${keyOf(row)} is in more than one row`);
    known.set(keyOf(row), row);
  }
  return known;
}

type Rollup = { key_id: string; requests: number; unknown_requests: number; cost_nanodollars: number };

// oxlint-disable-next-line eslint/max-params -- five facts about one key
function compareSums(
  key: string,
  rows: readonly RequestRow[],
  rollups: readonly Rollup[],
  billed: number,
  differences: string[],
): void {
  const own = rows.filter(({ key_id: id }) => id === key);
  const ofRows = {
    requests: own.length,
    unknown_requests: own.filter(({ state }) => state === "unknown").length,
    cost_nanodollars: own.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0),
  };
  if (ofRows.cost_nanodollars !== billed)
    differences.push(`${key}: ${ofRows.cost_nanodollars} in the ledger, upstream billed ${billed}`);
  const groups = rollups.filter(({ key_id: id }) => id === key);
  for (const name of ["requests", "unknown_requests", "cost_nanodollars"] as const) {
    const sum = groups.reduce((total, group) => total + group[name], 0);
    if (sum !== ofRows[name])
      differences.push(`${key}: ${sum} ${name} in the rollups, ${ofRows[name]} in the rows`);
  }
}
