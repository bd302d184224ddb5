import type { Kind, Load } from "./load.ts";
import type { ServerProcess } from "./server-process.ts";

/** A server and the load that is put on it. */
export interface Contestant {
  readonly server: ServerProcess;
  readonly load: Load;
}

/** How the CPU time per request of one server compares with another's. */
export interface Comparison {
  /** Of each round, in ascending order. */
  readonly ratios: readonly number[];
  /** By how much the tested one is dearer, of each round, in ascending order, in µs per request. */
  readonly extraUs: readonly number[];
  /** Median over all rounds, in µs per request. */
  readonly testedUs: number;
  readonly floorUs: number;
}

export interface CompareOptions {
  readonly kind: Kind;
  /** Requests per round to each of the two. */
  readonly requests: number;
  readonly rounds: number;
  /** No round begins when this much time has passed. */
  readonly budgetMs: number;
}

/** Requests to one server before it is the other's turn: a few hundredths of a second. */
const SLICE_REQUESTS = 128;
const SLICE_STREAMS = 32;

/**
 * Measures two servers in turn, slice by slice within each round, so that whatever else the machine does meets both alike.
 * It is CPU time that is compared: on a shared machine elapsed time says more about the neighbours. It is taken over the
 * whole round, because what a server does later for its requests, when the other has its turn, belongs to them.
 */
export async function compare(
  tested: Contestant,
  floor: Contestant,
  { kind, requests, rounds, budgetMs }: CompareOptions,
): Promise<Comparison> {
  const until = performance.now() + budgetMs;
  const testedUs: number[] = [];
  const floorUs: number[] = [];
  for (let round = 0; round < rounds && (round === 0 || performance.now() < until); round++) {
    const before = [await tested.server.cpuUs(), await floor.server.cpuUs()] as const;
    await inTurn(tested, floor, kind, requests);
    testedUs.push(((await tested.server.cpuUs()) - before[0]) / requests);
    floorUs.push(((await floor.server.cpuUs()) - before[1]) / requests);
  }
  return {
    extraUs: testedUs.map((us, round) => us - (floorUs[round] ?? Number.NaN)).toSorted((a, b) => a - b),
    ratios: testedUs.map((us, round) => us / (floorUs[round] ?? Number.NaN)).toSorted((a, b) => a - b),
    testedUs: median(testedUs),
    floorUs: median(floorUs),
  };
}

/** Makes `requests` to each of two servers. */
async function inTurn(one: Contestant, other: Contestant, kind: Kind, requests: number): Promise<void> {
  const slice = kind.streamed ? SLICE_STREAMS : SLICE_REQUESTS;
  for (let made = 0; made < requests; made += slice) {
    const count = Math.min(slice, requests - made);
    await one.load.run(kind, count);
    await other.load.run(kind, count);
  }
}

/** The middle one of some values; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2;
}
