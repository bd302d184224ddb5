import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Replica } from "../support/replica.ts";
import { waitUntil } from "../support/wait.ts";
import type { Audit } from "./audit.ts";
import { type SoakRequest, SoakClients } from "./clients.ts";
import { fillCapacity } from "./capacity.ts";
import type { Inspector } from "./inspector.ts";
import { LARGE_RESPONSE } from "./kinds.ts";
import { Samples } from "./samples.ts";

/** Duration, number of clients, and seed of a soak. */
export interface SoakOptions {
  readonly minutes: number;
  readonly clients: number;
  readonly seed: number;
}

/** MAX_IN_FLIGHT of the soak's gateway. */
export const MAX_IN_FLIGHT = 300;
/** Percentage of the total cost that may be unknown, as in the simulation. */
const UNKNOWN_MAX_PERCENT = 0.5;
const TAKE_SEEN_EVERY_MS = 50;
const MATCH_ROWS_EVERY_MS = 3_000;
const SAMPLES = 240;
/** Each sample needs a garbage collection, which takes the gateway tens of milliseconds. */
const SAMPLE_EVERY_MIN_MS = 1_000;
const SETTLED_DEADLINE_MS = 60_000;
/** Idle connections to upstream are closed after 30 s. */
const DESCRIPTORS_DEADLINE_MS = 60_000;

/** The parts of a run. */
interface Parts {
  readonly gateway: Replica;
  readonly inspector: Inspector;
  readonly audit: Audit;
  readonly report: (violation: string) => void;
}

/** One run of a soak: the load, the measurements and the checks. */
export class SoakRun {
  readonly #parts: Parts;
  readonly #options: SoakOptions;
  readonly #samples = new Samples();
  readonly #outcomes = new Map<string, number>();

  constructor(parts: Parts, options: SoakOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  async run(secrets: readonly string[]): Promise<Record<string, unknown>> {
    const { gateway, audit, report, inspector } = this.#parts;
    const { clients, seed, minutes } = this.#options;
    const takingTimer = setInterval(() => audit.takeSeen(), TAKE_SEEN_EVERY_MS);
    try {
      const baseline = this.#descriptors();
      const cpuBefore = await this.#cpuMs();
      const load = new SoakClients({
        port: gateway.port,
        secrets,
        clients,
        seed,
        onSend: (call) => audit.addRequest(call),
        onEnd: (call) => this.#checkResponse(call),
      });
      await this.#watch(minutes * 60_000);
      await load.stop();
      const cpuMs = (await this.#cpuMs()) - cpuBefore;
      await this.#waitForFinalRows();
      await this.#checkCapacity(secrets[0] ?? "");
      await this.#waitForFinalRows();
      const descriptors = await this.#descriptorsAtRest(baseline);
      if (descriptors > baseline)
        report(`${descriptors} open descriptors at the end, ${baseline} at the beginning`);
      const growth = this.#samples.growth();
      if (growth !== undefined) report(growth);
      const sums = await audit.compareSums();
      const unknownPercent = (100 * audit.unknownNanodollars) / sums.billedNanodollars;
      if (unknownPercent > UNKNOWN_MAX_PERCENT) report(`${unknownPercent} % of the cost is unknown`);
      const rest = await inspector.memoryAfterCollection();
      return {
        requests: load.requests,
        sent: audit.sent,
        ...sums,
        unknown: audit.unknown,
        unknownPercent,
        cpuMsPerRequest: Number((cpuMs / load.requests).toFixed(3)),
        descriptors: { baseline, end: descriptors },
        ...this.#samples.figures(),
        heapMiBAtRest: Math.round(rest.heapUsed / 2 ** 20),
        outcomes: Object.fromEntries([...this.#outcomes].toSorted(([a], [b]) => a.localeCompare(b))),
      };
    } finally {
      clearInterval(takingTimer);
    }
  }

  /** Waits until idle connections to upstream are closed. @returns the number of open descriptors. */
  async #descriptorsAtRest(baseline: number): Promise<number> {
    const areClosed = waitUntil(
      () => this.#descriptors() <= baseline,
      "descriptors to be closed",
      DESCRIPTORS_DEADLINE_MS,
    );
    await areClosed.catch(() => {});
    return this.#descriptors();
  }

  #descriptors(): number {
    return readdirSync(`/proc/${this.#parts.gateway.pid}/fd`).length;
  }

  async #cpuMs(): Promise<number> {
    const { user, system } = (await this.#parts.inspector.evaluate("process.cpuUsage()")) as NodeJS.CpuUsage;
    return (user + system) / 1_000;
  }

  /** Samples the gateway's memory and compares rows until `durationMs` has passed. */
  async #watch(durationMs: number): Promise<void> {
    const { inspector, audit } = this.#parts;
    const everyMs = Math.max(durationMs / SAMPLES, SAMPLE_EVERY_MIN_MS);
    const startedAt = performance.now();
    let matchedAt = startedAt;
    for (;;) {
      await sleep(everyMs);
      const progress = (performance.now() - startedAt) / durationMs;
      if (progress >= 1) return;
      const memory = await inspector.memoryAfterCollection();
      this.#samples.add({ ...memory, progress, descriptors: this.#descriptors() });
      if (performance.now() - matchedAt > MATCH_ROWS_EVERY_MS) {
        await audit.matchRows();
        matchedAt = performance.now();
      }
    }
  }

  async #waitForFinalRows(): Promise<void> {
    const { audit, report } = this.#parts;
    await waitUntil(
      async () => {
        audit.takeSeen();
        await audit.matchRows();
        return audit.unmatched === 0;
      },
      "a final row for every request",
      SETTLED_DEADLINE_MS,
    ).catch((error: unknown) => report(`${String(error)}, such as ${audit.unmatchedIds.join(", ")}`));
  }

  /** Reports requests that still count as in flight although they have ended. */
  async #checkCapacity(secret: string): Promise<void> {
    const { gateway, audit, report } = this.#parts;
    const ids = Array.from({ length: MAX_IN_FLIGHT + 1 }, (_, index) => `capacity-${index}`);
    for (const id of ids) audit.addRequest(createEndedRequest(id));
    const { statuses, extra } = await fillCapacity(gateway.port, secret, ids);
    const refused = statuses.filter((status) => status !== 200).length;
    if (refused > 0) report(`${refused} of ${MAX_IN_FLIGHT} concurrent requests were rejected`);
    if (extra !== 503) report(`the request after ${MAX_IN_FLIGHT} others got ${extra} instead of 503`);
  }

  /** Reports a response that its client should not have received. */
  #checkResponse(call: SoakRequest): void {
    const { kind, behaviour, status, isComplete, error } = call;
    const outcome = `${behaviour}${kind.isFault ? " fault" : ""} ${status}${isComplete ? "" : " incomplete"}`;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    const { report } = this.#parts;
    const result = `${call.id} (${behaviour}, ${kind.model}): ${status} ${error ?? ""}`;
    if (behaviour === "broken-request") {
      if (status >= 500 || status === 200) report(result);
    } else if (behaviour === "wrong-key") {
      if (status !== 401 && status !== 429) report(result);
    } else if (behaviour === "reads" || behaviour === "sends-slowly") {
      if (!kind.isFault && !(status === 200 && isComplete)) report(result);
    }
    if (error === "deadline") report(result);
  }
}

function createEndedRequest(id: string): SoakRequest {
  return {
    id,
    kind: LARGE_RESPONSE,
    behaviour: "reads",
    status: 0,
    isComplete: false,
    error: undefined,
    endedAt: performance.now(),
  };
}
