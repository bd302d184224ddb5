import type { ScopedLimit } from "./scoped-limits.ts";

/** The place of one request in flight, under one limit. */
export interface Place {
  readonly limit: ScopedLimit;
  /** Identifies the request in Redis. */
  readonly member: string;
  /** The places of the same limit in this process. */
  readonly list: Place[];
  /** Index of this place in `list`. */
  index: number;
}

/** The requests in flight of this process, under each limit on them. Exact: it has no time limit and no bound of its own. */
export class Places {
  /** Arrays in which each place knows its index: see InFlight for the reason not to use sets. */
  readonly #lists = new Map<string, Place[]>();

  /** Number of limits under which a request is in flight. */
  get size(): number {
    return this.#lists.size;
  }

  count({ key }: ScopedLimit): number {
    return this.#lists.get(key)?.length ?? 0;
  }

  take(limit: ScopedLimit, member: string): Place {
    let list = this.#lists.get(limit.key);
    if (!list) {
      list = [];
      this.#lists.set(limit.key, list);
    }
    const place = { limit, member, list, index: list.length };
    list.push(place);
    return place;
  }

  release({ limit, list, index }: Place): void {
    const last = list.pop();
    if (last && last.index !== index) {
      list[index] = last;
      last.index = index;
    }
    if (list.length === 0) this.#lists.delete(limit.key);
  }

  /** The places of each limit under which a request is in flight. */
  lists(): Iterable<readonly Place[]> {
    return this.#lists.values();
  }
}
