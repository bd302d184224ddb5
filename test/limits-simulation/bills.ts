import type { IncomingHttpHeaders } from "node:http";
import type { BillingObserver, SeenRequest } from "../../tools/simulator/state.ts";
import type { Scope } from "./keys.ts";
import type { PlannedRequest } from "./plan.ts";

/** The simulator's own sums for a scope, in nanodollars. */
export interface ScopeBill {
  readonly scope: Scope;
  billed: number;
  /** Cost of the generations in flight, if they are not cut short. */
  running: number;
  /** The highest sum of both. */
  peak: number;
}

/** One request as the simulator saw it. */
interface SeenCost {
  arrivedAt: number;
  billed: number;
}

const SAMPLE_MS = 50;

/**
 * The simulator's own books. They do not depend on the gateway's ledger: they only use the session id that the gateway forwards.
 * At every bill, at every start of a generation, and every 50 ms, no hard budget may be exceeded.
 */
export class Bills implements BillingObserver {
  readonly #planned = new Map<string, PlannedRequest>();
  readonly #seen = new Map<string, SeenCost>();
  readonly #running = new Map<SeenRequest, number>();
  readonly scopes = new Map<string, ScopeBill>();
  readonly violations: string[] = [];
  samples = 0;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#checkAll(), SAMPLE_MS);
  }

  /** Adds a request before it is sent. */
  expect(request: PlannedRequest): void {
    this.#planned.set(request.id, request);
    for (const scope of this.#findScopes(request))
      if (!this.scopes.has(scope.id)) this.scopes.set(scope.id, { scope, billed: 0, running: 0, peak: 0 });
  }

  /** Records the arrival of a request at the simulator. @returns the behaviour that its plan selects. */
  readonly arrive = (headers: IncomingHttpHeaders): string | undefined => {
    const request = this.#find(headers);
    if (!request) return undefined;
    if (this.#seen.has(request.id)) this.violations.push(`${request.id} was sent upstream twice`);
    this.#seen.set(request.id, { arrivedAt: Date.now(), billed: 0 });
    return request.behaviour;
  };

  readonly onGeneration = (seen: SeenRequest, nanodollars: number): void => {
    this.#running.set(seen, nanodollars);
    for (const bill of this.#findBills(seen)) {
      bill.running += nanodollars;
      this.#check(bill);
    }
  };

  readonly onBill = (seen: SeenRequest, nanodollars: number): void => {
    const expected = this.#running.get(seen) ?? 0;
    this.#running.delete(seen);
    const cost = this.#seen.get(this.#find(seen.headers)?.id ?? "");
    if (cost) cost.billed += nanodollars;
    for (const bill of this.#findBills(seen)) {
      bill.running -= expected;
      bill.billed += nanodollars;
      this.#check(bill);
    }
  };

  /** Returns the time in ms since 1970 at which a request arrived at the simulator; undefined if it did not. */
  findArrival(id: string): number | undefined {
    return this.#seen.get(id)?.arrivedAt;
  }

  /** Returns what the simulator billed for a request, in nanodollars; undefined if it did not arrive. */
  findBilled(id: string): number | undefined {
    return this.#seen.get(id)?.billed;
  }

  /** The ids of all requests that arrived. */
  get arrived(): readonly string[] {
    return [...this.#seen.keys()];
  }

  /** Returns the sums of a scope. */
  find(scope: Scope): ScopeBill {
    return this.scopes.get(scope.id) ?? { scope, billed: 0, running: 0, peak: 0 };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #find(headers: IncomingHttpHeaders): PlannedRequest | undefined {
    return this.#planned.get(String(headers["x-session-id"]));
  }

  #findScopes({ key, endUser }: PlannedRequest): readonly Scope[] {
    return key.findScopes(endUser);
  }

  #findBills({ headers }: SeenRequest): ScopeBill[] {
    const request = this.#find(headers);
    return request ? this.#findScopes(request).flatMap(({ id }) => this.scopes.get(id) ?? []) : [];
  }

  #checkAll(): void {
    for (const bill of this.scopes.values()) this.#check(bill);
  }

  #check(bill: ScopeBill): void {
    this.samples++;
    const { scope, billed, running } = bill;
    bill.peak = Math.max(bill.peak, billed + running);
    if (!scope.isHard) return;
    const limit = findLimit(scope);
    // A key is reported once for each amount that it exceeds its limit by, not for every sample.
    if (billed > limit) this.#report(`${scope.label}: billed ${billed}, which is above the limit ${limit}`);
    else if (billed + running > limit)
      this.#report(`${scope.label}: billed ${billed}, and ${running} is in flight: above the limit ${limit}`);
  }

  #report(violation: string): void {
    if (this.violations.at(-1) !== violation) this.violations.push(violation);
  }
}

/** Returns the lowest limit of a scope. The whole run is in one day, so it counts in all periods. */
export function findLimit({ limits }: Scope): number {
  return Math.min(...Object.values(limits));
}
