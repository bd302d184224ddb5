// Requests that the simulator received, and its counters, for tests to read.
import type { IncomingHttpHeaders } from "node:http";
import { Charges } from "./billing.ts";

/** One request as it arrived, and how its response went; times are milliseconds since the epoch. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  /** empty until the whole body has arrived, or if the simulator stores no requests */
  body: Buffer;
  model: string | undefined;
  /** the client left before the response ended */
  aborted: boolean;
  readonly startedAtMs: number;
  endedAtMs?: number;
  abortedAtMs?: number;
  generationId?: string;
  /** body bytes of the response that were handed to the socket */
  bytesSent: number;
}

/** Counters since the start or the last reset; `requests` = `active` + `completed` + `aborted` + `broken`. */
export interface SimulatorStats {
  readonly requests: number;
  readonly active: number;
  readonly completed: number;
  /** the client left first */
  readonly aborted: number;
  /** the simulator aborted the connection, because of a fault */
  readonly broken: number;
  /** request bodies */
  readonly bytesIn: number;
  /** response bodies, as handed to the socket */
  readonly bytesOut: number;
  readonly billedNanodollars: number;
  /** charges of providers for BYOK requests */
  readonly byokNanodollars: number;
  /** nanodollars by the model name that requests used */
  readonly billedByModel: Readonly<Record<string, number>>;
}

/** Everything that a reset forgets. Requests in flight during a reset continue in the old journal. */
export class SimulatorState {
  readonly seen: SeenRequest[] = [];
  readonly charges = new Charges();
  /** how often `flaky` has failed already, by its id */
  readonly flakyFailures = new Map<string, number>();
  readonly keepSeen: number;
  requests = 0;
  completed = 0;
  aborted = 0;
  broken = 0;
  bytesIn = 0;
  bytesOut = 0;

  /** @param keepSeen how many requests, with their bodies, to remember */
  constructor(keepSeen: number) {
    this.keepSeen = keepSeen;
  }

  /** Counts a request and remembers it; the oldest one is forgotten when there are too many. */
  add(request: SeenRequest): void {
    this.requests += 1;
    if (this.keepSeen === 0) return;
    this.seen.push(request);
    if (this.seen.length > this.keepSeen) this.seen.shift();
  }

  /** The counters as they are now. */
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
