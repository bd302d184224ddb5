import { sql } from "kysely";
import type { Database } from "../../store/database.ts";
import { listenToChannel } from "../../store/postgres-notifications.ts";
import { type BudgetId, formatBudgetId } from "../budget-id.ts";
import type {
  BudgetAmount,
  BudgetStore,
  Draw,
  DrawnBudget,
  ReturnedAmount,
  ReturnListener,
  Spending,
  StoredBudget,
} from "../budget-store.ts";
import { readPeriods } from "./budget-rows.ts";
import { drawLeases, findFailedDraw, saveLimit } from "./draw-leases.ts";
import { readLeases, returnLeases } from "./lease-expiry.ts";
import { openBudget, type ReadSpent } from "./open-budgets.ts";

/** The PostgreSQL channel on which replicas ask each other for idle money. */
const CHANNEL = "sluice_budgets";
/** Messages: the instance, the kind, and the text of a budget's id. */
const MESSAGE = /^(\S+) (request|return) (.*)$/s;

export interface SqlBudgetStoreOptions {
  readonly database: Database;
  /** URL of PostgreSQL; undefined for SQLite, whose processes do not notify each other. */
  readonly databaseUrl: string | undefined;
  /** The instance of this process. */
  readonly instance: string;
  readonly readSpent: ReadSpent;
  /** Counts the live processes that share the database. */
  readonly countReplicas: () => Promise<number>;
}

/** Budgets in SQLite or PostgreSQL. */
export class SqlBudgetStore implements BudgetStore {
  readonly #options: SqlBudgetStoreOptions;
  #stopListening: () => void = () => {};

  constructor(options: SqlBudgetStoreOptions) {
    this.#options = options;
  }

  async draw(draws: readonly Draw[]): Promise<readonly DrawnBudget[]> {
    const { database, instance, countReplicas } = this.#options;
    const isNeeded = draws.some(({ least }) => least > 0);
    const failed = isNeeded && !database.sqlite && (await findFailedDraw(database, instance, draws));
    if (failed) return failed;
    const drawer = { instance, replicas: await countReplicas() };
    const drawn = await drawLeases(database, drawer, draws);
    if (drawn) return drawn;
    await this.#openMissing(draws);
    return (await drawLeases(database, drawer, draws)) ?? [];
  }

  async #openMissing(budgets: readonly StoredBudget[]): Promise<void> {
    const { database, readSpent } = this.#options;
    const rows = await readPeriods(
      database,
      budgets.map(({ id }) => id),
    );
    for (const budget of budgets)
      if (!rows.has(formatBudgetId(budget.id))) await openBudget(database, budget, readSpent);
  }

  async giveBack(amounts: readonly ReturnedAmount[]): Promise<void> {
    await returnLeases(this.#options.database, this.#options.instance, amounts);
  }

  async readLeases(): Promise<readonly BudgetAmount[]> {
    return readLeases(this.#options.database.kysely, this.#options.instance);
  }

  async readSpending(budgets: readonly StoredBudget[]): Promise<readonly Spending[]> {
    await this.#openMissing(budgets);
    const rows = await readPeriods(
      this.#options.database,
      budgets.map(({ id }) => id),
    );
    // No draw saves the limits of soft budgets, from which no money is drawn.
    for (const budget of budgets) {
      const row = rows.get(formatBudgetId(budget.id));
      if (row) await saveLimit(this.#options.database.kysely, budget, row);
    }
    return budgets.map(({ id }) => {
      const row = rows.get(formatBudgetId(id));
      return { spent: row?.spent_nanodollars ?? 0, presumed: row?.presumed_nanodollars ?? 0 };
    });
  }

  requestReturn(id: BudgetId): void {
    this.#notify("request", id);
  }

  announceReturn(id: BudgetId): void {
    this.#notify("return", id);
  }

  #notify(kind: "request" | "return", id: BudgetId): void {
    const { database, databaseUrl, instance } = this.#options;
    if (databaseUrl === undefined) return;
    const message = `${instance} ${kind} ${formatBudgetId(id)}`;
    sql`select pg_notify(${CHANNEL}, ${message})`.execute(database.kysely).catch(() => {
      // A lost message only delays a waiting request, which asks again.
    });
  }

  listen(listener: ReturnListener): void {
    const { databaseUrl, instance } = this.#options;
    if (databaseUrl === undefined) return;
    this.#stopListening = listenToChannel(databaseUrl, {
      name: CHANNEL,
      applicationName: "sluice-budgets",
      onNotification(payload) {
        const [, sender, kind, text = ""] = MESSAGE.exec(payload) ?? [];
        if (sender === instance) return;
        if (kind === "request") listener.onReturnRequested(text);
        else if (kind === "return") listener.onReturned(text);
      },
    });
  }

  close(): void {
    this.#stopListening();
  }
}
