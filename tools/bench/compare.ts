import type { BenchRequest, Load } from "./load.ts";
import type { ServerProcess } from "./server-process.ts";

/** A server and its load generator. */
export interface BenchTarget {
  readonly server: ServerProcess;
  readonly load: Load;
}

interface RoundsOptions {
  readonly kind: BenchRequest;
  /** Requests to each target per round. */
  readonly requests: number;
  /** Consecutive requests to one target before the next target is measured. */
  readonly slice: number;
  readonly rounds: number;
  /** No round starts after this time. */
  readonly budgetMs: number;
}

/**
 * Measures the CPU time of several servers. Elapsed time is not used, because it depends on other processes of the machine.
 * Within a round, servers are measured in turn, slice by slice, so that other load affects all of them equally. CPU time is
 * read at the ends of a round, so that it includes work that a server does after its slice, such as garbage collection.
 * @returns for each target, the CPU time per request in each round, in µs.
 */
export async function measureRounds(
  targets: readonly BenchTarget[],
  { kind, requests, slice, rounds, budgetMs }: RoundsOptions,
): Promise<number[][]> {
  const until = performance.now() + budgetMs;
  const perRequest: number[][] = targets.map(() => []);
  for (let round = 0; round < rounds && (round === 0 || performance.now() < until); round++) {
    const before = await readCpuUs(targets);
    await runInTurn(targets, kind, requests, slice);
    const after = await readCpuUs(targets);
    for (const [index, us] of perRequest.entries())
      us.push(((after[index] ?? Number.NaN) - (before[index] ?? Number.NaN)) / requests);
  }
  return perRequest;
}

async function readCpuUs(targets: readonly BenchTarget[]): Promise<number[]> {
  const us: number[] = [];
  for (const { server } of targets) us.push(await server.readCpuUs());
  return us;
}

/** Sends `requests` requests to each target. Each slice has a random order, so that no target has a fixed predecessor. */
async function runInTurn(
  targets: readonly BenchTarget[],
  kind: BenchRequest,
  requests: number,
  slice: number,
): Promise<void> {
  for (let made = 0; made < requests; made += slice) {
    for (const { load } of shuffle(targets)) await load.run(kind, Math.min(slice, requests - made));
  }
}

function shuffle<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ value }) => value);
}

/** Returns the median of the values; for an even number of values, the mean of the two in the middle. */
export function computeMedian(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2;
}
