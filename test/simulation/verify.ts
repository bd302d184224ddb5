import type { Simulator } from "../../tools/simulator/simulator.ts";
import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { formatRequestId, type CallerOutcome } from "./callers.ts";

/** What a simulation came to. */
export interface Verdict {
  /** Every difference, in words; none is as it has to be. */
  readonly differences: readonly string[];
  readonly rows: number;
  readonly unknown: number;
  readonly settledByGeneration: number;
  /** Rows of processes that were killed. */
  readonly interrupted: number;
  readonly ledgerNanodollars: number;
  /** Of requests whose rows are unknown. */
  readonly unknownNanodollars: number;
  /** Of those, of clients that left before they saw the response head; killed gateways and broken upstreams included. */
  readonly unknownLeftBeforeHeadNanodollars: number;
  /** The same as a percentage of everything billed. */
  readonly unknownLeftBeforeHeadPercent: number;
  readonly billedNanodollars: number;
}

/** What callers saw, and the ids of the keys they came with. */
interface Callers {
  readonly seen: readonly CallerOutcome[];
  readonly keyIds: readonly string[];
}

/** Compares the ledger with what callers saw and what upstream billed, to the nanodollar. */
export async function verifyLedger(
  { kysely }: Database,
  simulator: Simulator,
  { seen: callers, keyIds }: Callers,
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
  const callersById = new Map(callers.map((seen) => [formatRequestId(seen.planned.number), seen]));
  const expected = new Map<string, number>(keyIds.map((id) => [id, 0]));
  let unknownNanodollars = 0;
  let unknownLeftBeforeHeadNanodollars = 0;
  for (const { headers, generationId } of simulator.seen) {
    const id = headers["x-session-id"];
    if (typeof id !== "string") continue;
    const row = byRequest.get(id);
    const billed = (generationId !== undefined && simulator.findBilledNanodollars(generationId)) || 0;
    const caller = callersById.get(id);
    const key = keyIds[caller?.planned.key ?? 0] ?? "";
    if (!row) differences.push(`${id}: upstream has seen it, and there is no row`);
    else if (row.state === "unknown") {
      unknownNanodollars += billed;
      if (caller?.planned.leavesAfterMs !== undefined && caller.status === 0)
        unknownLeftBeforeHeadNanodollars += billed;
    } else expected.set(key, (expected.get(key) ?? 0) + billed);
    if (row && row.state !== "unknown" && row.cost_nanodollars !== billed)
      differences.push(
        `${id}: the row says ${row.cost_nanodollars} (${row.cost_source}), upstream billed ${billed}`,
      );
    if (row && row.key_id !== key) differences.push(`${id}: the row is of ${row.key_id} instead of ${key}`);
  }
  for (const row of rows) checkRow(row, callersById.get(row.request_id), differences);
  for (const [key, billed] of expected)
    for (const rollups of [hours, days]) compareSums(key, rows, rollups, billed, differences);
  const { billedNanodollars } = simulator.readStats();
  const ledgerNanodollars = rows.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0);
  if (ledgerNanodollars + unknownNanodollars !== billedNanodollars)
    differences.push(
      `in all ${ledgerNanodollars} + ${unknownNanodollars} unknown, and upstream billed ${billedNanodollars}`,
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

/** Models whose responses have no generation and do not prove a refusal. */
const UNPROVEN = /"sim\/(?:close|reset:head=0|html)"/;

function checkRow(row: RequestRow, seen: CallerOutcome | undefined, differences: string[]): void {
  const { request_id: id, state, generation_id: generationId } = row;
  if (!seen) differences.push(`${id}: there is a row, and no such request was made`);
  if (state !== "settled" && state !== "unknown") differences.push(`${id}: it is still ${state}`);
  if (state !== "unknown") return;
  if (generationId !== null) differences.push(`${id}: it is unknown and has a generation`);
  if (seen?.generationId !== undefined)
    differences.push(`${id}: it is unknown, and its caller has seen its head`);
  if (row.outcome !== "interrupted" && !UNPROVEN.test(seen?.planned.body ?? ""))
    differences.push(`${id}: it is unknown, and its response proved what it costs`);
}

function uniqueBy(
  rows: readonly RequestRow[],
  keyOf: (row: RequestRow) => string,
  differences: string[],
): Map<string, RequestRow> {
  const known = new Map<string, RequestRow>();
  for (const row of rows) {
    if (known.has(keyOf(row))) differences.push(`${keyOf(row)} stands in more than one row`);
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
    differences.push(`${key}: ${ofRows.cost_nanodollars} in the ledger, and upstream billed ${billed}`);
  const groups = rollups.filter(({ key_id: id }) => id === key);
  for (const name of ["requests", "unknown_requests", "cost_nanodollars"] as const) {
    const sum = groups.reduce((total, group) => total + group[name], 0);
    if (sum !== ofRows[name])
      differences.push(`${key}: ${sum} ${name} in the rollups, ${ofRows[name]} in the rows`);
  }
}
