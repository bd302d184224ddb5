import { copyFileSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { BudgetAdmission } from "../../src/budgets/budget-admission.ts";
import type { BudgetedKey } from "../../src/budgets/definitions.ts";
import type { Reservation } from "../../src/budgets/reservation.ts";
import { SqlBudgetStore } from "../../src/budgets/sql/sql-budget-store.ts";
import { getLockPath } from "../../src/metering/journal/files.ts";
import type { RequestContext } from "../../src/http/request-context.ts";
import { readSpent } from "../../src/metering/sql/budget-changes.ts";
import { UsageRecorder } from "../../src/metering/usage-recorder.ts";
import { createLogger } from "../../src/observability/logger.ts";
import type { Database } from "../../src/store/database.ts";
import { FaultyDatabase } from "./faulty-database.ts";
import { createRequestContext } from "./request-context.ts";
import { waitFor } from "./wait.ts";

const DEADLINE_MS = 20_000;

export interface BudgetProcessOptions {
  readonly database: Database;
  readonly databaseUrl: string | undefined;
  /** Directory of this process alone, for its journal. */
  readonly dataDir: string;
  readonly replicas: number;
  readonly waitMs: number;
  /** The time in ms since 1970. */
  readonly now: () => number;
  readonly onOverrun?: () => void;
  readonly mayBePresumedDead?: () => boolean;
}

/** How a request ended, as far as the gateway knows. A number is the cost in nanodollars. */
export type RequestEnd = number | "pending" | "unknown" | "not sent";

/** A process with a real recorder, journal and admission, but without HTTP, heartbeats and recovery. */
export class BudgetProcess {
  /** What the budgets see of the database, and what the recorder sees. */
  readonly budgetDatabase: FaultyDatabase;
  readonly recorderDatabase: FaultyDatabase;
  readonly budgets: BudgetAdmission;
  readonly recorder: UsageRecorder;
  readonly #directory: string;

  constructor(options: BudgetProcessOptions) {
    const { database, databaseUrl, dataDir, replicas, waitMs, now } = options;
    this.budgetDatabase = new FaultyDatabase(database);
    this.recorderDatabase = new FaultyDatabase(database);
    this.#directory = join(dataDir, "journal");
    this.recorder = new UsageRecorder({
      database: this.recorderDatabase.database,
      dataDir,
      isDataDirPersistent: false,
      journalMaxBytes: 10_000_000,
      findGeneration: () => Promise.resolve(undefined),
      settleAfterMs: 60_000,
      settleGiveUpMs: 60_000,
      onOverrun: options.onOverrun ?? (() => {}),
      logger: createLogger("silent", { write: () => {} }),
    });
    this.budgets = new BudgetAdmission({
      store: new SqlBudgetStore({
        database: this.budgetDatabase.database,
        databaseUrl,
        instance: this.instance,
        readSpent,
        countReplicas: () => Promise.resolve(replicas),
      }),
      waitMs,
      onFailure: () => {},
      ...(options.mayBePresumedDead && { mayBePresumedDead: options.mayBePresumedDead }),
      hasUnwrittenRows: () => this.recorder.hasUnwrittenRows,
      now,
    });
  }

  get instance(): string {
    return this.recorder.instance;
  }

  /** Reserves money. @throws the refusal. */
  async reserve(key: BudgetedKey, worstCase: number, endUser?: string): Promise<Reservation> {
    const account = this.budgets.find(key, endUser);
    const reservation =
      account &&
      (await waitFor(Promise.resolve(this.budgets.admit(account, worstCase)), "an admission", DEADLINE_MS));
    if (!reservation) throw new Error("the key has no hard budget");
    return reservation;
  }

  /** Records the start of a request with a reservation, as the relay does before it sends the request. */
  async begin(
    key: BudgetedKey,
    reservation: Reservation,
    { id, endUser }: { id: string; endUser?: string | undefined },
  ) {
    const context = createRequestContext(id);
    const known = { keyId: key.id, keyName: key.id, groupId: key.group?.id, endUser, wasSent: true };
    Object.assign(context, known);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.recorder.begin(context, (error) => (error ? reject(error) : resolve()), reservation);
    await waitFor(promise, "the start to be recorded", DEADLINE_MS);
    return context;
  }

  /** Leaves the process as if it had been killed: nothing reaches the database anymore. Its journal is copied. @returns its files. */
  crash(): readonly string[] {
    this.budgetDatabase.isCut = true;
    this.recorderDatabase.isCut = true;
    return readdirSync(this.#directory)
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => join(this.#directory, name));
  }

  /** Shuts down, as the gateway does. No request may be in flight. @returns whether its leases were returned. */
  async close(): Promise<boolean> {
    let areReturned = false;
    await this.recorder.close(async () => (areReturned = await this.budgets.close()));
    return areReturned;
  }
}

/** Copies the files of a journal to a directory of dead journals, with the lock file that a dead process leaves. */
export function copyJournal(files: readonly string[], directory: string, instance: string): void {
  mkdirSync(directory, { recursive: true });
  for (const file of files) copyFileSync(file, join(directory, basename(file)));
  const lock = getLockPath(directory, instance);
  writeFileSync(lock, "");
  const longAgo = new Date(Date.now() - 600_000);
  utimesSync(lock, longAgo, longAgo);
}

/** Records the head of the response with its generation id. */
export function receiveHead(context: RequestContext, generationId: string): void {
  Object.assign(context, { generationId, upstreamStatus: 200 });
  context.meter?.recordHead(context, () => {});
}

/** Ends a request. */
export function endRequest(context: RequestContext, end: RequestEnd): void {
  const usage = typeof end === "number" ? { tokens: {}, costUsd: end / 1e9 } : undefined;
  Object.assign(context, {
    usage,
    wasSent: end !== "not sent",
    isResponseComplete: typeof end === "number",
    generationId: end === "pending" ? `gen-${context.requestId}` : context.generationId,
    status: 200,
    outcome: "complete",
    endedAt: performance.now(),
  });
  context.meter?.end(context);
}
