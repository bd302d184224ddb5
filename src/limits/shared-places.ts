import type { RedisStore } from "../store/redis.ts";
import type { Correction } from "../store/redis-limits.ts";
import type { Places } from "./places.ts";
import type { ScopedLimit } from "./scoped-limits.ts";

/** Interval at which a process extends the time of its places in Redis. */
const RENEW_EVERY_MS = 10_000;
/** Places to release after an outage. Further ones become free when their time is over. */
const UNRELEASED_MAX = 10_000;

/**
 * Keeps the places of this process in Redis as they are in its memory. Nothing waits for its commands. A command that failed
 * may still be carried out later, so the places of requests that ended meanwhile are released after the outage.
 */
export class SharedPlaces {
  readonly #redis: RedisStore;
  readonly #places: Places;
  readonly #timer: NodeJS.Timeout;
  /** Members to release, by key. */
  #unreleased = new Map<string, string[]>();
  #unreleasedCount = 0;

  constructor(redis: RedisStore, places: Places) {
    this.#redis = redis;
    this.#places = places;
    this.#timer = setInterval(() => this.#renew(), RENEW_EVERY_MS).unref();
    redis.listenForReady(() => this.#renew());
  }

  /** Stops to extend the time of places. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** Releases the places of an ended request, and corrects its tokens. While Redis has failed, the tokens stay as counted. */
  end(places: readonly ScopedLimit[], corrections: readonly Correction[], member: string): void {
    if (places.length + corrections.length === 0) return;
    if (!this.#redis.usable) {
      this.releaseLater(places, member);
      return;
    }
    this.#redis.end(places, corrections, member).catch((error: unknown) => {
      this.#redis.failed(error as Error);
      this.releaseLater(places, member);
    });
  }

  /** Releases places when Redis responds again. @param limits those of another kind are ignored. */
  releaseLater(limits: readonly ScopedLimit[], member: string): void {
    for (const { key, kind } of limits) {
      if (kind !== "places" || this.#unreleasedCount >= UNRELEASED_MAX) continue;
      const members = this.#unreleased.get(key);
      if (members) members.push(member);
      else this.#unreleased.set(key, [member]);
      this.#unreleasedCount++;
    }
  }

  /** Releases the places of requests that have ended during an outage. Called when Redis has responded. */
  releaseEnded(): void {
    if (this.#unreleasedCount === 0) return;
    const unreleased = this.#unreleased;
    this.#unreleased = new Map();
    this.#unreleasedCount = 0;
    for (const [key, members] of unreleased) this.#send(this.#redis.release(key, members));
  }

  #renew(): void {
    for (const list of this.#places.lists()) {
      const members = list.map(({ member }) => member);
      const limit = list[0]?.limit;
      if (limit) this.#send(this.#redis.renew(limit, members));
    }
    if (this.#redis.usable) this.releaseEnded();
  }

  #send(command: Promise<void>): void {
    command.catch((error: unknown) => this.#redis.failed(error as Error));
  }
}
