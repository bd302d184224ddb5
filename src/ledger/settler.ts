import type { Database } from "../store/database.ts";
import type { RequestRow } from "../store/request-row.ts";
import { claimDue, postpone, settle, type Settlement } from "../store/settlements.ts";
import type { FindGeneration, GenerationRecord } from "../upstream/generation.ts";

const CLAIM_MAX = 64;
/** So many are written at once: they meet in the same sums, and others need connections to the database too. */
const WRITERS = 4;
const BACKOFF_MAX_MS = 300_000;
const BACKOFF_MIN_MS = 100;
const ROUND_MAX_MS = 5_000;
const ROUND_MIN_MS = 50;
/** So often a question that got no answer is asked, however old its request is. */
const FAILURES_MAX = 8;

export interface SettlerOptions {
  readonly database: Database;
  readonly find: FindGeneration;
  /** When a record can be there at the earliest, after its request has ended. */
  readonly settleAfterMs: number;
  /** How long after its request has ended a record is asked for. */
  readonly giveUpMs: number;
  /** Told of a request whose cost will not be known. */
  readonly onUnknown: (row: RequestRow) => void;
  /** Told of a round that failed. The next one is made all the same. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Settles requests that ended without their bill: asks OpenRouter for the record of each, patiently. Of all replicas on a
 * database one at a time claims a request, and none that is already settled.
 */
export class Settler {
  readonly #options: SettlerOptions;
  #timer: NodeJS.Timeout | undefined = undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;
  #healthy = true;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** Whether the last look-up got an answer. */
  get healthy(): boolean {
    return this.#healthy;
  }

  start(): void {
    const everyMs = Math.min(Math.max(this.#options.settleAfterMs / 4, ROUND_MIN_MS), ROUND_MAX_MS);
    this.#timer = setTimeout(() => {
      this.#round = this.#makeRound();
    }, everyMs);
    this.#timer.unref();
  }

  async #makeRound(): Promise<void> {
    await this.settleDue().catch(this.#options.onFailure);
    if (!this.#stopped) this.start();
  }

  /** Stops when the round under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** Asks for every record that is due, and settles what OpenRouter knows of. */
  async settleDue(): Promise<void> {
    for (;;) {
      const claimed = await claimDue(this.#options.database, Date.now(), CLAIM_MAX);
      await this.#settleAll(await Promise.all(claimed.map((row) => this.#ask(row))));
      if (claimed.length < CLAIM_MAX || this.#stopped) return;
    }
  }

  async #ask(row: RequestRow): Promise<Asked> {
    try {
      const record = await this.#options.find(row.generation_id ?? "");
      this.#healthy = true;
      return { row, record, failed: false };
    } catch (error) {
      this.#healthy = false;
      this.#options.onFailure(error);
      return { row, record: undefined, failed: true };
    }
  }

  async #settleAll(asked: readonly Asked[]): Promise<void> {
    const waiting = asked.values();
    const failures: unknown[] = [];
    const write = async (): Promise<void> => {
      // One that fails stays claimed for a while; it must not keep the others from being settled.
      for (const one of waiting) await this.#settleOne(one).catch((error: unknown) => failures.push(error));
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    if (failures.length > 0) throw failures[0];
  }

  async #settleOne({ row, record, failed }: Asked): Promise<void> {
    const { database, giveUpMs, onUnknown } = this.#options;
    if (record) {
      await settle(database, row.id, settlementOf(record, row));
      return;
    }
    const now = Date.now();
    const isOld = now - (row.ended_at ?? row.started_at) >= giveUpMs;
    // After a day without this gateway, upstream's first bad moment is no answer yet.
    if (!isOld || (failed && row.settle_attempts < FAILURES_MAX)) {
      await postpone(database, row.id, now + this.#backoffMs(row.settle_attempts));
      return;
    }
    const unknown = { state: "unknown", cost_source: "unknown" } as const;
    const givenUp = await settle(database, row.id, { ...settlementOf(undefined, row), ...unknown });
    if (givenUp) onUnknown(givenUp);
  }

  /** Twice as long after every attempt, up to five minutes. */
  #backoffMs(attempts: number): number {
    const firstMs = Math.max(this.#options.settleAfterMs, BACKOFF_MIN_MS);
    return Math.min(firstMs * 2 ** Math.min(attempts - 1, 20), BACKOFF_MAX_MS);
  }
}

/** A row and what OpenRouter has said of it. */
interface Asked {
  readonly row: RequestRow;
  /** undefined: it has none, or the question got no answer. */
  readonly record: GenerationRecord | undefined;
  readonly failed: boolean;
}

function settlementOf(record: GenerationRecord | undefined, row: RequestRow): Settlement {
  return {
    state: "settled",
    cost_source: "generation",
    cost_nanodollars: record?.costNanodollars ?? null,
    prompt_tokens: record?.promptTokens ?? row.prompt_tokens,
    completion_tokens: record?.completionTokens ?? row.completion_tokens,
    cached_tokens: record?.cachedTokens ?? row.cached_tokens,
    reasoning_tokens: record?.reasoningTokens ?? row.reasoning_tokens,
    provider: row.provider ?? record?.provider ?? null,
    model_answered: row.model_answered ?? record?.model ?? null,
  };
}
