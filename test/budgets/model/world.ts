import assert from "node:assert/strict";
import { join } from "node:path";
import { vi } from "vitest";
import type { CallerKey } from "../../../src/auth/caller-key.ts";
import { GatewayError } from "../../../src/errors.ts";
import type { RequestContext } from "../../../src/http/request-context.ts";
import type { Database } from "../../../src/store/database.ts";
import {
  BudgetProcess,
  copyJournal,
  endRequest,
  receiveHead,
  type RequestEnd,
} from "../../support/budget-process.ts";
import type { Fault } from "../../support/faulty-database.ts";
import { waitUntil } from "../../support/wait.ts";
import { checkDatabase, checkEnd, type Snapshot } from "./check-database.ts";
import { createBudgets, createKey, KEY_IDS, type KeyId, listBudgetsOf, type Order } from "./keys.ts";
import { adoptAllBut, lookUpCosts, replayJournals } from "./other-process.ts";
import { formatPeriod, type ModelRequest, Reference, sum } from "./reference.ts";

const FLUSH_DEADLINE_MS = 8_000;

export interface WorldOptions {
  readonly database: Database;
  readonly databaseUrl: string | undefined;
  readonly directory: string;
  readonly processes: number;
  readonly waitMs: number;
}

/** A request in flight. */
interface Flight {
  readonly request: ModelRequest;
  readonly context: RequestContext;
  readonly process: BudgetProcess;
}

/** Real processes on a real database, and the reference for their budgets. */
export class World {
  readonly reference = new Reference();
  readonly budgets = createBudgets();
  readonly processes: BudgetProcess[] = [];
  /** The time of all processes. The distant past, so that the recorder writes open rows at once. */
  now = Date.UTC(2026, 0, 5, 23, 30);
  readonly #options: WorldOptions;
  readonly #all: BudgetProcess[] = [];
  /** Whether a process has left a journal or a lock file. */
  #hasDead = false;
  #flights: Flight[] = [];
  #keys = new Map<KeyId, CallerKey>();
  #count = 0;
  #hasFaults = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#createKeys(0);
    for (let index = 0; index < options.processes; index++) this.#startProcess(index);
  }

  #createKeys(changedAt: number): void {
    this.#keys = new Map(KEY_IDS.map((id) => [id, createKey(this.budgets, id, changedAt)]));
  }

  #startProcess(index: number): void {
    const { database, databaseUrl, directory, processes, waitMs } = this.#options;
    const process = new BudgetProcess({
      database,
      databaseUrl,
      dataDir: join(directory, `p${this.#all.length}`),
      replicas: processes,
      waitMs,
      now: () => this.now,
    });
    this.processes[index] = process;
    this.#all.push(process);
  }

  #getProcess(index: number): BudgetProcess {
    return this.processes[index % this.processes.length] as BudgetProcess;
  }

  /** Admits a request and sends it. A refusal is checked and ignored. */
  async send(order: Order, isCancelled = false): Promise<void> {
    const process = this.#getProcess(order.process);
    const key = this.#keys.get(order.key) as CallerKey;
    try {
      const reservation = await process.reserve(key, order.worstCase, order.endUser);
      if (isCancelled) return reservation.cancel();
      const id = `r${this.#count++}`;
      const budgets = listBudgetsOf(this.budgets, order.key, order.endUser);
      const { admittedAt } = reservation;
      const request: ModelRequest = {
        id,
        instance: process.instance,
        budgets: budgets.map((budget) => formatPeriod(budget, admittedAt)),
        worstCase: order.worstCase,
        billed: undefined,
        isBillKnown: false,
        isAdopted: false,
      };
      this.reference.requests.set(id, request);
      for (const budget of budgets) {
        const period = formatPeriod(budget, admittedAt);
        const possible = this.reference.sumPossibleBills(period);
        assert.ok(
          possible <= budget.limit,
          `${id}: bills of ${period} can be ${possible} of ${budget.limit}`,
        );
      }
      const context = await process.begin(key, reservation, { id, endUser: order.endUser });
      this.#flights.push({ request, context, process });
    } catch (error) {
      await this.#checkRefusal(error, order);
    }
  }

  async #checkRefusal(error: unknown, order: Order): Promise<void> {
    if (!(error instanceof GatewayError)) throw error;
    // On a slow machine, the wait ends before the database responds.
    const isLate = /did not respond in time/.test(String(error.cause));
    if (error.code === "budget_reserved" || isLate) return;
    if (error.code === "store_unavailable" && this.#hasFaults) return;
    assert.equal(error.code, "budget_exceeded", String(error.cause));
    const { leases } = await this.check();
    const isFull = listBudgetsOf(this.budgets, order.key, order.endUser).some((budget) => {
      const period = formatPeriod(budget, this.now);
      const expired = leases.filter(
        (row) => row.is_expired === 1 && `${row.scope} ${row.period} ${row.starts_at}` === period,
      );
      const counted = this.reference.sumCounted(period) + sum(expired.map((row) => row.amount_nanodollars));
      return counted + order.worstCase > budget.limit;
    });
    assert.ok(isFull, `no budget of ${order.key} has too little for ${order.worstCase}`);
  }

  /** Takes a request in flight. */
  #take(pick: number): Flight | undefined {
    return this.#flights.splice(pick % Math.max(1, this.#flights.length), 1)[0];
  }

  receiveHead(pick: number): void {
    const flight = this.#flights[pick % Math.max(1, this.#flights.length)];
    if (flight) receiveHead(flight.context, `gen-${flight.request.id}`);
  }

  /** Ends a request. @param share its bill in thousandths of its worst case. */
  end(pick: number, end: "settled" | "pending" | "unknown" | "not sent", share: number): void {
    const flight = this.#take(pick);
    if (!flight) return;
    const { request, context } = flight;
    const ownBill = end === "not sent" ? 0 : Math.floor((request.worstCase * share) / 1_000);
    const billed = request.billed ?? ownBill;
    request.billed = billed;
    if (billed > request.worstCase) this.reference.hasOverrun = true;
    request.isBillKnown = end === "settled" || end === "not sent";
    endRequest(context, end === "settled" ? billed : (end satisfies RequestEnd));
    if (this.#isTaken(context)) request.isBillKnown = false;
  }

  /** Whether the end of a request cannot state its bill, because its head was received before it was found to be unsent. */
  #isTaken(context: RequestContext): boolean {
    return context.usage === undefined && context.generationId !== undefined;
  }

  /** Looks up the costs of pending requests, like every process. @param limit maximum number of requests. */
  async lookUpCosts(limit: number): Promise<void> {
    await lookUpCosts(this.#options.database, this.reference, limit);
  }

  /** Waits until the rows of all ended requests of live processes are in the database. */
  async flush(): Promise<void> {
    const live = new Set(this.processes.map(({ instance }) => instance));
    const ended = [...this.reference.requests.values()]
      .filter(({ billed, instance }) => billed !== undefined && live.has(instance))
      .map(({ id }) => id);
    const { kysely } = this.#options.database;
    await waitUntil(
      async () => {
        const rows = await kysely
          .selectFrom("requests")
          .select("request_id")
          .where("state", "!=", "open")
          .execute();
        const written = new Set(rows.map(({ request_id }) => request_id));
        return ended.every((id) => written.has(id));
      },
      "the rows of ended requests",
      FLUSH_DEADLINE_MS,
    );
  }

  /** Lets a second of the keepers of leases pass. */
  async tick(): Promise<void> {
    vi.advanceTimersByTime(1_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Kills a process and starts another one. @param share what upstream bills for its requests, in thousandths. */
  crash(index: number, share: number): void {
    const process = this.#getProcess(index);
    this.#bury(process);
    for (const flight of this.#flights.filter((one) => one.process === process))
      flight.request.billed = Math.floor((flight.request.worstCase * share) / 1_000);

    // The end of a request may have reached neither the database nor the journal.
    this.reference.markAdopted(process.instance);
    this.#flights = this.#flights.filter((one) => one.process !== process);
    this.#startProcess(this.processes.indexOf(process));
  }

  /** Leaves the journal of a process, which ends now, to the others. */
  #bury(process: BudgetProcess): void {
    copyJournal(process.crash(), this.#deadDirectory, process.instance);
    this.#hasDead = true;
  }

  get #deadDirectory(): string {
    return join(this.#options.directory, "dead");
  }

  /** Replays the journals of dead processes. */
  async replay(): Promise<void> {
    if (!this.#hasDead) return;
    await replayJournals(this.#options.database, this.#deadDirectory);
    this.#hasDead = false;
  }

  /** Takes over the requests of dead processes, and those of a live one, which seems dead. */
  async adopt(victim: number | undefined, isLongSilent: boolean): Promise<void> {
    const { database } = this.#options;
    const seemsDead = victim === undefined ? undefined : this.#getProcess(victim);
    const live = this.processes.filter((process) => process !== seemsDead).map(({ instance }) => instance);
    if (seemsDead) this.reference.markAdopted(seemsDead.instance);
    await adoptAllBut(database, live, isLongSilent);
  }

  /** Shuts a process down when its requests have ended, and starts another one. */
  async restart(index: number, share: number): Promise<void> {
    const process = this.#getProcess(index);
    for (const { process: one } of this.#flights.slice())
      if (one === process)
        this.end(
          this.#flights.findIndex((flight) => flight.process === process),
          "settled",
          share,
        );
    const areReturned = await process.close();
    if (!areReturned) this.#bury(process);
    this.#startProcess(this.processes.indexOf(process));
  }

  changeLimit(pick: number, limit: number): void {
    const budget = this.budgets[pick % this.budgets.length];
    if (!budget) return;
    budget.limit = limit;
    this.#createKeys(this.#count++ + 1);
  }

  /** Lets the next transactions of a process fail. */
  fail(index: number, of: "budgets" | "recorder", faults: readonly Fault[]): void {
    const process = this.#getProcess(index);
    this.#hasFaults = true;
    (of === "budgets" ? process.budgetDatabase : process.recorderDatabase).faults.push(...faults);
  }

  /** Checks what is in the database now. */
  async check(): Promise<Snapshot> {
    return checkDatabase(this.#options.database, (keyId, endUser) =>
      listBudgetsOf(this.budgets, keyId as KeyId, endUser ?? undefined),
    );
  }

  /** Ends everything, and checks that only bills and unknown costs are left. */
  async finish(): Promise<void> {
    while (this.#flights.length > 0) this.end(0, "settled", 500);
    for (const process of this.processes)
      process.budgetDatabase.faults.length = process.recorderDatabase.faults.length = 0;
    await this.flush();
    await this.replay();
    await this.lookUpCosts(1_000);
    for (const process of this.processes) assert.equal(await process.close(), true);
    checkEnd(await this.check(), this.reference);
  }

  /** Ends the processes, whatever state they are in. */
  async close(): Promise<void> {
    await Promise.all(
      this.#all.map(async (process) => {
        process.budgetDatabase.isCut = process.recorderDatabase.isCut = true;
        await process.close().catch(() => {});
      }),
    );
  }
}
