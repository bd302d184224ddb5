import { Allowance } from "./allowance.ts";
import { formatBudgetId } from "./budget-id.ts";
import type { BudgetStore, ReturnedAmount } from "./budget-store.ts";
import type { BudgetDefinition } from "./definitions.ts";
import { EndUserBound } from "./end-user-bound.ts";

const TICK_MS = 1_000;
/** An allowance that was not used for this long gives its lease back and is forgotten. */
const UNUSED_MS = 60_000;
/** The spending of soft budgets is read every second for this long after their last request. */
const READ_AFTER_USE_MS = 10_000;
/** Idle money above this multiple of the expected use is given back. */
const IDLE_FACTOR = 2;

/** A draw for an allowance, in nanodollars. */
export interface AllowanceDraw {
  readonly allowance: Allowance;
  /** Needed in addition to the idle money; the draw fails if less is available. */
  readonly least: number;
  readonly wanted: number;
}

export interface LeaseKeeperOptions {
  readonly store: BudgetStore;
  /** Called when leases could not be adjusted. They will be later. */
  readonly onFailure: (error: unknown) => void;
  /**
   * Whether rows of ended requests wait in the journal. This process has taken their costs from its leases, but the leases in
   * the database still contain them.
   */
  readonly hasUnwrittenRows: () => boolean;
  /** Called when other replicas gave money back. */
  readonly onReturned: () => void;
}

/** Keeps the leases of this process as large as its requests need, and gives back what they do not need. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #allowances = new Map<string, Allowance>();
  readonly #endUsers = new EndUserBound();
  /** Allowances that are not refilled: a refill is in progress, or has got too little since the last tick. */
  readonly #refilling = new Set<Allowance>();
  /** Those of them whose refill has ended. */
  readonly #starved = new Set<Allowance>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #tick: Promise<void> | undefined = undefined;
  /** Draws and returns without a reply of the database. */
  readonly #pending = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    options.store.listen({
      onReturnRequested: (text) => void this.#returnIdle(text),
      onReturned: () => options.onReturned(),
    });
  }

  /** Returns the allowance of a budget, with the newest limit. @throws GatewayError overloaded if there are too many end users. */
  find(definition: BudgetDefinition): Allowance {
    const known = this.#allowances.get(formatBudgetId(definition.id));
    if (known) {
      this.#update(known, definition);
      return known;
    }
    this.#endUsers.add(definition.id.scope);
    const allowance = new Allowance(definition, performance.now());
    this.#allowances.set(allowance.text, allowance);
    this.#timer ??= setInterval(() => {
      // While the database does not respond, no further ticks are queued.
      this.#tick ??= this.#runTick().finally(() => {
        this.#tick = undefined;
      });
    }, TICK_MS).unref();
    return allowance;
  }

  /** Applies changed settings. A request that was authenticated before the change must not restore the old limit. */
  #update(allowance: Allowance, { limit, changedAt }: BudgetDefinition): void {
    if (changedAt <= allowance.changedAt) return;
    const isLower = limit < allowance.limit;
    allowance.limit = limit;
    allowance.changedAt = changedAt;
    // The lease may exceed the new limit.
    if (!isLower) return;
    allowance.reclaim();
    void this.#giveBack([[allowance, allowance.idle]]).catch(this.#options.onFailure);
  }

  /** Draws money for a low allowance in the background. */
  refillIfLow(allowance: Allowance): void {
    const { target, idle } = allowance;
    if (idle >= target / IDLE_FACTOR || this.#refilling.has(allowance)) return;
    this.#refilling.add(allowance);
    const draw = { allowance, least: 0, wanted: target - idle };
    this.draw([draw])
      .catch(this.#options.onFailure)
      .finally(() => {
        // Near its limit, a budget has too little. Until the next tick, the draws of waiting requests are enough.
        if (allowance.idle >= allowance.target / IDLE_FACTOR) this.#refilling.delete(allowance);
        else this.#starved.add(allowance);
      });
  }

  /**
   * Draws money for all allowances, or for none if one budget has too little.
   * @returns whether there was enough. @throws the error of the database.
   */
  async draw(draws: readonly AllowanceDraw[]): Promise<boolean> {
    const allowances = draws.map(({ allowance }) => allowance);
    const drawn = await this.#change(allowances, async () => {
      const results = await this.#options.store.draw(
        draws.map(({ allowance, least, wanted }) => allowance.toDraw(least, wanted)),
      );
      for (const [index, allowance] of allowances.entries()) {
        const result = results[index];
        if (result) allowance.receive(result);
      }
      return results;
    });
    return draws.every(({ least }, index) => (drawn[index]?.granted ?? 0) >= least);
  }

  /** Runs a change of leases in the database. If it fails, it may have been committed nevertheless. */
  async #change<T>(allowances: readonly Allowance[], run: () => Promise<T>): Promise<T> {
    for (const allowance of allowances) allowance.pending++;
    const change = run();
    this.#pending.add(change);
    try {
      return await change;
    } catch (error) {
      for (const allowance of allowances) allowance.isUncertain = true;
      throw error;
    } finally {
      this.#pending.delete(change);
      for (const allowance of allowances) allowance.pending--;
    }
  }

  /** Reads what was spent of budgets. @throws the error of the database. */
  async readSpending(allowances: readonly Allowance[]): Promise<void> {
    if (allowances.length === 0) return;
    const read = await this.#options.store.readSpending(allowances);
    for (const [index, allowance] of allowances.entries()) {
      const spending = read[index];
      if (spending) allowance.receiveSpending(spending);
    }
  }

  /**
   * Gives all money back that no request holds. Called when no request is in flight.
   * @returns whether that succeeded. If not, the process that replays the journal gives the money back.
   */
  async close(): Promise<boolean> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#tick;
    this.#options.store.close();
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
    if (this.#options.hasUnwrittenRows()) return false;
    try {
      await this.#returnAll();
      return true;
    } catch (error) {
      this.#options.onFailure(error);
      return false;
    }
  }

  /** Returns what the leases in the database have, because draws and returns may have failed after their commit. */
  async #returnAll(): Promise<void> {
    const { store } = this.#options;
    const leases = await store.readLeases();
    const amounts = leases.map(({ id, nanodollars }) => {
      const { held = 0 } = this.#allowances.get(formatBudgetId(id)) ?? {};
      return { id, nanodollars: nanodollars - held, isUnused: held === 0 };
    });
    await store.giveBack(amounts.filter(({ nanodollars }) => nanodollars >= 0));
  }

  async #runTick(): Promise<void> {
    if (this.#isClosed) return;
    const now = performance.now();
    const all = [...this.#allowances.values()];
    for (const allowance of all) allowance.tick(now);
    for (const allowance of this.#starved) this.#refilling.delete(allowance);
    this.#starved.clear();
    try {
      await this.#repair(all);
      await this.#giveBack(all.map((allowance) => [allowance, findSurplus(allowance, now)]));
      await this.readSpending(all.filter(({ isRead, usedAt }) => isRead && now - usedAt < READ_AFTER_USE_MS));
    } catch (error) {
      this.#options.onFailure(error);
    }
    for (const allowance of all)
      if (isUnused(allowance, now) && allowance.isReturned) this.#forget(allowance);
  }

  #forget(allowance: Allowance): void {
    allowance.isForgotten = true;
    this.#allowances.delete(allowance.text);
    this.#endUsers.remove(allowance.id.scope);
    if (this.#allowances.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Reads the leases whose size is uncertain. If the database has the row of an ended request, but this process does not know
   * it yet, the lease becomes too small here. Therefore it stays uncertain until no request holds money.
   */
  async #repair(all: readonly Allowance[]): Promise<void> {
    const uncertain = all
      .filter(({ isUncertain, pending }) => isUncertain && pending === 0)
      .map((allowance) => ({ allowance, version: allowance.version }));
    if (uncertain.length === 0 || this.#options.hasUnwrittenRows()) return;
    const leases = await this.#options.store.readLeases();
    const byText = new Map(leases.map(({ id, nanodollars }) => [formatBudgetId(id), nanodollars]));
    for (const { allowance, version } of uncertain) {
      if (allowance.version !== version || allowance.pending > 0) continue;
      allowance.correct(byText.get(allowance.text) ?? 0);
    }
  }

  /** Gives idle money of a budget back at the request of another replica. */
  async #returnIdle(text: string): Promise<void> {
    const allowance = this.#allowances.get(text);
    if (!allowance || (allowance.idle <= 0 && !allowance.hasReclaimed)) return;
    try {
      await this.#giveBack([[allowance, allowance.idle]]);
      this.#options.store.announceReturn(allowance.id);
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  async #giveBack(parts: readonly (readonly [Allowance, number])[]): Promise<void> {
    const amounts: ReturnedAmount[] = [];
    for (const [allowance, nanodollars] of parts) {
      const taken = allowance.takeIdle(nanodollars);
      if (taken > 0) amounts.push({ id: allowance.id, nanodollars: taken, isUnused: allowance.held === 0 });
    }
    if (amounts.length === 0) return;
    const allowances = parts.map(([allowance]) => allowance);
    await this.#change(allowances, () => this.#options.store.giveBack(amounts));
  }
}

/** Returns the idle money that an allowance does not need. */
function findSurplus(allowance: Allowance, now: number): number {
  if (isUnused(allowance, now)) return allowance.idle;
  const { idle, target } = allowance;
  return idle > IDLE_FACTOR * target ? idle - target : 0;
}

function isUnused({ usedAt, held }: Allowance, now: number): boolean {
  return held === 0 && now - usedAt > UNUSED_MS;
}
