import type { Logger } from "pino";
import { type Alert, createCreditAlert } from "../alerts/alert.ts";
import { GatewayError } from "../errors.ts";
import type { BalanceSource, ReadBalance } from "./account.ts";

/** Age at which a balance is not trusted any more: after failed polls, OpenRouter decides again. */
const STALE_AFTER_MS = 300_000;
/** The models that cost nothing. OpenRouter may serve them without credit, so the gateway leaves the decision to it. */
const FREE_MODEL = /:free(?:@|$)|^openrouter\/free$/;

const MESSAGES: Readonly<Record<BalanceSource, string>> = {
  key_limit:
    "The limit of the gateway's OpenRouter key is used up, and nothing was sent; the operator has to raise the limit at openrouter.ai/settings/keys.",
  account_credits:
    "The OpenRouter account has no credits left, and nothing was sent; the operator has to add credits at openrouter.ai/settings/credits.",
};

export interface AccountBalanceOptions {
  readonly readers: ReadonlyMap<BalanceSource, ReadBalance>;
  readonly pollMs: number;
  /** Raise an alert when less than this is left; undefined: never. */
  readonly lowNanodollars: number | undefined;
  /** Stores an alert, or logs it if nothing is stored. */
  readonly raise: (alert: Alert) => Promise<void>;
  readonly logger: Logger;
  /** A monotonic clock in ms; default: `performance.now`. */
  readonly now?: () => number;
}

/**
 * Polls the money that is left at OpenRouter. While a balance is known and used up, requests are refused before anything is
 * sent. The first poll is one interval after the start, so that a process that restarts in a loop does not send a poll each
 * time.
 */
export class AccountBalance {
  readonly #options: AccountBalanceOptions;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined = undefined;
  #poll: Promise<void> = Promise.resolve();
  #isStopped = false;
  /** The balances as they were last read. A balance that nothing limits has none. */
  readonly #balances = new Map<BalanceSource, Balance>();
  /** The balances that are used up; usually none. */
  #exhausted: readonly Balance[] = [];
  /** The balances whose last poll failed. */
  readonly #failed = new Set<BalanceSource>();
  /** The balances for which an alert was raised and that have not recovered since. */
  readonly #low = new Set<BalanceSource>();

  constructor(options: AccountBalanceOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Starts to poll until `stop` is called. */
  start(): void {
    this.#timer = setTimeout(() => {
      this.#poll = this.#pollAndReschedule();
    }, this.#options.pollMs);
    this.#timer.unref();
  }

  async #pollAndReschedule(): Promise<void> {
    await this.poll();
    if (!this.#isStopped) this.start();
  }

  /** Starts no further polls and waits for the current one, at most 10 s. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#poll;
  }

  /**
   * Returns the refusal of a request if the account's money is used up by a poll of the last five minutes.
   * @param model the model id that would be forwarded. Models that cost nothing are not refused.
   */
  refusal(model: string | undefined): GatewayError | undefined {
    if (this.#exhausted.length === 0) return undefined;
    const trustedSince = this.#now() - STALE_AFTER_MS;
    const exhausted = this.#exhausted.find(({ readAt }) => readAt >= trustedSince);
    if (!exhausted || (model !== undefined && FREE_MODEL.test(model))) return undefined;
    return new GatewayError("account_exhausted", MESSAGES[exhausted.source]);
  }

  /** Returns the balances of the last five minutes. A balance that nothing limits is absent. */
  get known(): readonly Balance[] {
    const trustedSince = this.#now() - STALE_AFTER_MS;
    return Array.from(this.#balances.values()).filter(({ readAt }) => readAt >= trustedSince);
  }

  /** Reads all balances once. Never throws. */
  async poll(): Promise<void> {
    const { readers } = this.#options;
    await Promise.all(Array.from(readers, ([source, read]) => this.#pollBalance(source, read)));
  }

  async #pollBalance(source: BalanceSource, read: ReadBalance): Promise<void> {
    const { logger } = this.#options;
    let remaining: number | null;
    try {
      remaining = await read();
      this.#failed.delete(source);
    } catch (error) {
      if (!this.#failed.has(source)) logger.warn({ err: error, source }, "account: poll failed, will retry");
      this.#failed.add(source);
      return;
    }
    // The database may be closed already.
    if (this.#isStopped) return;
    if (remaining === null) this.#balances.delete(source);
    else this.#balances.set(source, { source, remainingNanodollars: remaining, readAt: this.#now() });
    this.#updateExhausted(source);
    await this.#raiseIfLow(source, remaining ?? Infinity);
  }

  #updateExhausted(source: BalanceSource): void {
    const { logger } = this.#options;
    const wasExhausted = this.#exhausted.some((balance) => balance.source === source);
    this.#exhausted = [...this.#balances.values()].filter(
      ({ remainingNanodollars }) => remainingNanodollars <= 0,
    );
    const isExhausted = this.#exhausted.some((balance) => balance.source === source);
    if (isExhausted && !wasExhausted) logger.error({ source }, "account: money used up, refusing requests");
    if (!isExhausted && wasExhausted) logger.info({ source }, "account: money is available again");
  }

  async #raiseIfLow(source: BalanceSource, remainingNanodollars: number): Promise<void> {
    const { lowNanodollars = -Infinity, raise, logger } = this.#options;
    if (remainingNanodollars >= lowNanodollars) {
      this.#low.delete(source);
    } else if (!this.#low.has(source)) {
      try {
        await raise(createCreditAlert({ source, remainingNanodollars, lowNanodollars, now: Date.now() }));
        this.#low.add(source);
      } catch (error) {
        // The next poll raises it again.
        logger.warn({ err: error }, "alerts: database failed, will retry");
      }
    }
  }
}

/** The money that was left when a balance was read. */
export interface Balance {
  readonly source: BalanceSource;
  readonly remainingNanodollars: number;
  /** By the monotonic clock. */
  readonly readAt: number;
}
