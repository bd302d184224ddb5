import type { SeenRequest } from "../../tools/simulator/state.ts";
import type { Simulator } from "../../tools/simulator/simulator.ts";
import type { Database } from "../../src/store/database.ts";
import type { SoakRequest } from "./clients.ts";

/** Number of requests that the simulator keeps until the audit takes them over. */
export const KEPT_REQUESTS = 10_000;

const PAGE_ROWS = 2_000;
/** The rows of all requests that began longer ago than this are written. No row with a smaller id appears later. */
const ROWS_COMPLETE_AFTER_MS = 60_000;
/** The audit drops a client's request this long after its end, because no row can match it any more. */
const CLIENT_REQUEST_DROPPED_AFTER_MS = 60_000;
const EMPTY = Buffer.alloc(0);

interface Row {
  readonly id: string;
  readonly request_id: string;
  readonly generation_id: string | null;
  readonly state: string;
  readonly cost_nanodollars: number | null;
  readonly cost_source: string | null;
  readonly started_at: number;
}

/** Compares the gateway's ledger with the simulator's charges while both grow. Drops requests that have matched a row. */
export class Audit {
  readonly #database: Database;
  readonly #simulator: Simulator;
  readonly #report: (difference: string) => void;
  /** Clients' requests by id. Each is kept until its row has matched or can no longer appear. */
  readonly #clientRequests = new Map<string, SoakRequest>();
  /** Requests that upstream received, by id. Each is kept until its row has matched. */
  readonly #sent = new Map<string, SeenRequest>();
  /** Ids of rows above the watermark that have matched. */
  readonly #matched = new Set<string>();
  #watermark = "";
  #lastSeen: SeenRequest | undefined;
  sent = 0;
  matched = 0;
  unknown = 0;
  unknownNanodollars = 0;

  /** @param report called with a description of each difference. */
  constructor(database: Database, simulator: Simulator, report: (difference: string) => void) {
    this.#database = database;
    this.#simulator = simulator;
    this.#report = report;
  }

  /** Number of requests that upstream received and that match no row yet. */
  get unmatched(): number {
    return this.#sent.size;
  }

  /** Up to ten ids of unmatched requests. */
  get unmatchedIds(): string[] {
    return [...this.#sent.keys()].slice(0, 10);
  }

  /** Adds a request that is about to be sent. */
  addRequest(call: SoakRequest): void {
    this.#clientRequests.set(call.id, call);
  }

  /** Takes over the requests that upstream received since the last call. Call it before the simulator drops them. */
  takeSeen(): void {
    const { seen } = this.#simulator;
    const from = this.#lastSeen === undefined ? 0 : seen.lastIndexOf(this.#lastSeen) + 1;
    if (from === 0 && this.#lastSeen !== undefined)
      throw new Error("the simulator dropped requests before the audit read them: the audit is too slow");
    for (const request of seen.slice(from)) {
      const id = request.headers["x-session-id"];
      if (typeof id !== "string") continue;
      this.sent += 1;
      if (this.#sent.has(id)) this.#report(`${id}: upstream received it twice`);
      this.#sent.set(id, request);
    }
    this.#lastSeen = seen.at(-1) ?? this.#lastSeen;
    for (const request of seen) if (request.endedAtMs !== undefined) request.body = EMPTY;
  }

  /** Compares rows that have become final. */
  async matchRows(): Promise<void> {
    let after = this.#watermark;
    let isContiguous = true;
    const completeBefore = Date.now() - ROWS_COMPLETE_AFTER_MS;
    for (;;) {
      const rows = await this.#page(after);
      // Upstream may have received the requests of these rows while the rows were read.
      this.takeSeen();
      for (const row of rows) {
        const isMatched = this.#matched.has(row.id) || this.#match(row);
        if (isMatched) this.#matched.add(row.id);
        isContiguous &&= isMatched && row.started_at < completeBefore;
        if (isContiguous) {
          this.#watermark = row.id;
          this.#matched.delete(row.id);
        }
      }
      const last = rows.at(-1);
      if (rows.length < PAGE_ROWS || !last) break;
      after = last.id;
    }
    this.#dropOldClientRequests();
  }

  /** Compares the sums of the whole run. All rows must be final. */
  async compareSums(): Promise<{ rows: number; ledgerNanodollars: number; billedNanodollars: number }> {
    const { kysely } = this.#database;
    const { rows, ids, cost } = await kysely
      .selectFrom("requests")
      .select(({ fn }) => [
        fn.countAll<number>().as("rows"),
        fn.count<number>("request_id").distinct().as("ids"),
        fn.sum<number>("cost_nanodollars").as("cost"),
      ])
      .executeTakeFirstOrThrow();
    const open = await kysely
      .selectFrom("requests")
      .select("request_id")
      .where("state", "in", ["open", "pending"])
      .execute();
    const ledgerNanodollars = cost;
    const { billedNanodollars } = this.#simulator.readStats();
    if (rows !== ids) this.#report(`${rows} rows for ${ids} requests`);
    for (const { request_id: id } of open) this.#report(`${id}: its row is not final`);
    if (ledgerNanodollars + this.unknownNanodollars !== billedNanodollars)
      this.#report(
        `${ledgerNanodollars} in the ledger and ${this.unknownNanodollars} unknown, upstream billed ${billedNanodollars}`,
      );
    return { rows, ledgerNanodollars, billedNanodollars };
  }

  #page(after: string): Promise<Row[]> {
    return this.#database.kysely
      .selectFrom("requests")
      .select(["id", "request_id", "generation_id", "state", "cost_nanodollars", "cost_source", "started_at"])
      .where("id", ">", after)
      .orderBy("id")
      .limit(PAGE_ROWS)
      .execute();
  }

  /** @returns whether the row is final and was compared. */
  #match(row: Row): boolean {
    if (row.state !== "settled" && row.state !== "unknown") return false;
    const request = this.#sent.get(row.request_id);
    // The simulator's charge is final when its response has ended.
    if (request && request.endedAtMs === undefined) return false;
    const call = this.#clientRequests.get(row.request_id);
    if (!call) this.#report(`${row.request_id}: it has a row, but no client sent it`);
    else if (!request) this.#matchUnsent(row);
    else this.#compare(row, request, call);
    this.#sent.delete(row.request_id);
    if (request && call?.endedAt !== 0) this.#clientRequests.delete(row.request_id);
    this.matched += 1;
    return true;
  }

  /** Checks the row of a request that was recorded but not sent, because its client disconnected in between. */
  #matchUnsent(row: Row): void {
    if (row.cost_nanodollars !== 0)
      this.#report(
        `${row.request_id}: upstream did not receive it, but the row has cost ${row.cost_nanodollars}`,
      );
  }

  #compare(row: Row, { generationId }: SeenRequest, { kind, status }: SoakRequest): void {
    const id = row.request_id;
    const billed = generationId === undefined ? 0 : this.#simulator.findBilledNanodollars(generationId);
    if (row.state === "unknown") {
      this.unknown += 1;
      this.unknownNanodollars += billed ?? 0;
      if (row.generation_id !== null) this.#report(`${id}: its row is unknown, but has a generation id`);
      if (!kind.isUnproven)
        this.#report(
          `${id}: its row is unknown, but its response (${kind.model}, ${status}) proved the cost`,
        );
    } else if (row.cost_nanodollars !== billed)
      this.#report(
        `${id}: the row has cost ${row.cost_nanodollars} (${row.cost_source}), upstream billed ${billed} (${kind.model})`,
      );
  }

  #dropOldClientRequests(): void {
    const before = performance.now() - CLIENT_REQUEST_DROPPED_AFTER_MS;
    for (const [id, call] of this.#clientRequests) {
      if (call.endedAt !== 0 && call.endedAt < before && !this.#sent.has(id)) this.#clientRequests.delete(id);
    }
  }
}
