import type { Simulator } from "../../tools/simulator/simulator.ts";
import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { MODEL_ENDPOINTS } from "../support/model-bodies.ts";
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
   * The part of `unknownNanodollars` for clients that disconnected before the response head from a gateway that was not killed.
   * For some of them, upstream failed first.
   */
  readonly unknownLeftBeforeHeadNanodollars: number;
  /** The same part as a percentage of the total billed cost. */
  readonly unknownLeftBeforeHeadPercent: number;
  /** The part of `unknownNanodollars` whose gateway was killed before the response head, as a percentage of the total. */
  readonly unknownKilledPercent: number;
  readonly billedNanodollars: number;
  /** Sums of the ledger for each endpoint. They equal what upstream billed for its settled rows. */
  readonly endpoints: Readonly<Record<string, EndpointSums>>;
}

interface EndpointSums {
  readonly requests: number;
  readonly settledByGeneration: number;
  readonly interrupted: number;
  readonly nanodollars: number;
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
  const groups = keyIds.flatMap((key) => MODEL_ENDPOINTS.map(({ path: endpoint }) => ({ key, endpoint })));
  const expected = new Map<string, number>(groups.map((group) => [formatGroup(group), 0]));
  let unknownNanodollars = 0;
  let unknownLeftBeforeHeadNanodollars = 0;
  let unknownKilledNanodollars = 0;
  for (const { headers, generationId, url } of simulator.seen) {
    const id = headers["x-session-id"];
    if (typeof id !== "string") continue;
    const row = byRequest.get(id);
    const billed = (generationId !== undefined && simulator.findBilledNanodollars(generationId)) || 0;
    const outcome = outcomesById.get(id);
    const key = keyIds[outcome?.planned.key ?? 0] ?? "";
    if (!row) differences.push(`${id}: upstream received it, but it has no row`);
    else if (row.state === "unknown") {
      unknownNanodollars += billed;
      // A killed gateway loses the request whether its client has disconnected or not.
      if (row.outcome === "interrupted") unknownKilledNanodollars += billed;
      else if (outcome?.planned.disconnectsAfterMs !== undefined && outcome.status === 0)
        unknownLeftBeforeHeadNanodollars += billed;
    } else {
      const group = formatGroup({ key, endpoint: toEndpoint(url) });
      expected.set(group, (expected.get(group) ?? 0) + billed);
    }
    if (row && row.state !== "unknown" && row.cost_nanodollars !== billed)
      differences.push(
        `${id}: the row has cost ${row.cost_nanodollars} (${row.cost_source}), upstream billed ${billed}`,
      );
    if (row) checkOrigin(row, { key, endpoint: toEndpoint(url), session: id }, differences);
  }
  for (const row of rows) checkRow(row, outcomesById.get(row.request_id), differences);
  for (const [group, billed] of expected)
    for (const rollups of [hours, days]) compareSums(group, rows, rollups, billed, differences);
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
    unknownKilledPercent: (100 * unknownKilledNanodollars) / billedNanodollars,
    billedNanodollars,
    endpoints: Object.fromEntries(
      MODEL_ENDPOINTS.map(({ path }) => [
        path,
        sumEndpoint(rows.filter(({ endpoint }) => endpoint === path)),
      ]),
    ),
  };
}

function sumEndpoint(rows: readonly RequestRow[]): EndpointSums {
  return {
    requests: rows.length,
    settledByGeneration: rows.filter((row) => row.cost_source === "generation").length,
    interrupted: rows.filter(({ outcome }) => outcome === "interrupted").length,
    nanodollars: rows.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0),
  };
}

/** Returns the endpoint of a request that upstream received. */
function toEndpoint(url: string): string {
  return url.replace("/api/v1/", "");
}

/** The origin that the row of a request must have. */
interface Origin {
  readonly key: string;
  readonly endpoint: string;
  readonly session: string;
}

function checkOrigin(row: RequestRow, origin: Origin, differences: string[]): void {
  const { request_id: id, key_id: key, endpoint, session } = row;
  for (const [name, value] of Object.entries({ key, endpoint, session }))
    if (value !== origin[name as keyof Origin])
      differences.push(`${id}: the row has ${name} ${value} instead of ${origin[name as keyof Origin]}`);
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

function formatGroup({ key, endpoint }: Pick<Origin, "key" | "endpoint">): string {
  return `${key} ${endpoint}`;
}

type Rollup = {
  key_id: string;
  endpoint: string;
  requests: number;
  unknown_requests: number;
  failed_requests: number;
  cancelled_requests: number;
  cost_nanodollars: number;
};

// oxlint-disable-next-line eslint/max-params -- five facts about one key and endpoint
function compareSums(
  group: string,
  rows: readonly RequestRow[],
  rollups: readonly Rollup[],
  billed: number,
  differences: string[],
): void {
  const isOwn = ({ key_id: key, endpoint }: Pick<Rollup, "key_id" | "endpoint">): boolean =>
    formatGroup({ key, endpoint }) === group;
  const own = rows.filter(isOwn);
  const ofRows = {
    requests: own.length,
    unknown_requests: own.filter(({ state }) => state === "unknown").length,
    failed_requests: own.filter(
      ({ outcome, status }) => outcome !== "client_gone" && (outcome !== "complete" || status >= 400),
    ).length,
    cancelled_requests: own.filter(({ outcome }) => outcome === "client_gone").length,
    cost_nanodollars: own.reduce((sum, row) => sum + (row.cost_nanodollars ?? 0), 0),
  };
  if (ofRows.cost_nanodollars !== billed)
    differences.push(`${group}: ${ofRows.cost_nanodollars} in the ledger, upstream billed ${billed}`);
  const ownRollups = rollups.filter(isOwn);
  for (const name of [
    "requests",
    "unknown_requests",
    "failed_requests",
    "cancelled_requests",
    "cost_nanodollars",
  ] as const) {
    const sum = ownRollups.reduce((total, rollup) => total + rollup[name], 0);
    if (sum !== ofRows[name])
      differences.push(`${group}: ${sum} ${name} in the rollups, ${ofRows[name]} in the rows`);
  }
}
