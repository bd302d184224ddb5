// The requests that the simulator received and its counters, which tests read.
import type { IncomingHttpHeaders } from "node:http";
import { Activity } from "./activity.ts";
import { Charges, computeCosts, type Generation } from "./billing.ts";

/** One received request and the state of its response. Times are milliseconds since the epoch. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  /** empty until the whole body has arrived; always empty if the simulator stores no requests */
  body: Buffer;
  model: string | undefined;
  /** whether the client disconnected before the response ended */
  aborted: boolean;
  readonly startedAtMs: number;
  endedAtMs?: number;
  abortedAtMs?: number;
  generationId?: string;
  /** bytes of the response body that were written to the socket */
  bytesSent: number;
}

/** Counters since the start or the last reset; `requests` = `active` + `completed` + `aborted` + `broken`. */
export interface SimulatorStats {
  readonly requests: number;
  readonly active: number;
  readonly completed: number;
  /** requests whose client disconnected before the response ended */
  readonly aborted: number;
  /** requests whose connection the simulator aborted to simulate a fault */
  readonly broken: number;
  /** bytes of request bodies */
  readonly bytesIn: number;
  /** bytes of response bodies that were written to sockets */
  readonly bytesOut: number;
  readonly billedNanodollars: number;
  /** sum of what providers charged for BYOK requests */
  readonly byokNanodollars: number;
  /** nanodollars billed for each model, under the name that requests used */
  readonly billedByModel: Readonly<Record<string, number>>;
}

/** The part of a generation that is billed. */
export interface BilledPart {
  readonly completionChars: number;
  /** whether the client disconnected, which ended the generation */
  readonly cancelled: boolean;
}

/** Receives the costs of generations, in nanodollars. */
export interface BillingObserver {
  /** Called when a generation begins. @param nanodollars its cost if it is not cut short; a shorter one costs less. */
  readonly onGeneration: (request: SeenRequest, nanodollars: number) => void;
  /** Called once for each generation, when it is billed. */
  readonly onBill: (request: SeenRequest, nanodollars: number) => void;
}

/** All data that a reset deletes. A request in flight during a reset is still counted in the previous state object. */
export class SimulatorState {
  readonly seen: SeenRequest[] = [];
  readonly charges = new Charges();
  readonly activity: Activity;
  /** number of failures that `flaky` has simulated, by its option `id` */
  readonly flakyFailures = new Map<string, number>();
  readonly keepSeen: number;
  readonly observer: BillingObserver | undefined;
  requests = 0;
  completed = 0;
  aborted = 0;
  broken = 0;
  bytesIn = 0;
  bytesOut = 0;

  /**
   * @param keepSeen number of requests to store with their bodies
   * @param now the clock of `GET /activity`, in ms since 1970
   */
  constructor(keepSeen: number, observer?: BillingObserver, now: () => number = Date.now) {
    this.keepSeen = keepSeen;
    this.activity = new Activity(now);
    this.observer = observer;
  }

  /** Bills a generation. See {@link Charges.bill}. */
  bill(request: SeenRequest, generation: Generation, part: BilledPart): void {
    this.charges.bill(generation, part.completionChars, part.cancelled);
    const costs = computeCosts(generation, part.completionChars);
    this.activity.add(generation, costs, request.headers.authorization);
    this.observer?.onBill(request, costs.nanodollars);
  }

  /** Counts a request and stores it. Deletes the oldest stored request if there are more than `keepSeen`. */
  add(request: SeenRequest): void {
    this.requests += 1;
    if (this.keepSeen === 0) return;
    this.seen.push(request);
    if (this.seen.length > this.keepSeen) this.seen.shift();
  }

  /** Returns the current counters. */
  readStats(): SimulatorStats {
    const { requests, completed, aborted, broken, bytesIn, bytesOut, charges } = this;
    return {
      requests,
      active: requests - completed - aborted - broken,
      completed,
      aborted,
      broken,
      bytesIn,
      bytesOut,
      billedNanodollars: charges.nanodollars,
      byokNanodollars: charges.byokNanodollars,
      billedByModel: charges.sumByModel(),
    };
  }
}
