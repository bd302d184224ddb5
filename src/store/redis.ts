import { Redis } from "ioredis";

/** A Redis that hangs must not hang requests: the defaults wait and queue for ever. */
const CONNECT_TIMEOUT_MS = 500;
const COMMAND_TIMEOUT_MS = 150;
const RECONNECT_MAX_MS = 2_000;
/** A store that has just failed is left alone for so long, or every request would wait for its timeout. */
const RECOVERY_MS = 2_000;

/** The connection to Redis, and what is known of its health. */
export class RedisStore {
  readonly client: Redis;
  readonly #onFailure: (error: Error) => void;
  #failedAt = -Infinity;

  /**
   * Connects in the background, and again whenever the connection is lost. Commands fail at once while there is none and
   * after 150 ms when Redis does not answer.
   * @param onFailure told of every failure, of which there may be many.
   */
  constructor(url: string, onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
    this.client = new Redis(url, {
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    });
    this.client.on("error", onFailure);
  }

  /** Whether it is worth asking: it has not failed a moment ago. */
  get usable(): boolean {
    return performance.now() - this.#failedAt > RECOVERY_MS;
  }

  /** To be told of a command that failed. */
  failed(error: Error): void {
    this.#failedAt = performance.now();
    this.#onFailure(error);
  }

  /** Whether Redis answers now. */
  async answers(): Promise<boolean> {
    try {
      return (await this.client.ping()) === "PONG";
    } catch {
      return false;
    }
  }

  close(): void {
    this.client.disconnect();
  }
}
