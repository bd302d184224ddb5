import { type Contestant, measureRounds } from "./compare.ts";
import { startFloor, startGateway, startMeteringGateway } from "./contestants.ts";
import { PLAIN, STREAM } from "./load.ts";
import type { Options } from "./options.ts";
import { judgeExtra, type Verdict } from "./report.ts";
import { STREAM_EVENTS } from "./traffic.ts";
import { warmUp } from "./warm-up.ts";

/**
 * What a ledger may cost, in µs of CPU time, where the floor takes so many µs. A machine on which everything takes four
 * times as long is not to be told that a ledger is too dear, nor a fast one that it is cheap: the bar is scaled with the
 * floor, which is measured in the same rounds. Of the floor's range, 34 to 60 µs, it is the end that makes the bar narrow.
 */
const SMALL_REQUEST = { barUs: 6, floorUs: 60 };
const STREAM_EVENT = { barUs: 0.5, floorUs: 8.7 };

/** Long enough for the ledger to write as many rows at once as it does when nobody else has a turn. */
const SLICE_REQUESTS = 512;
const SLICE_STREAMS = 128;

/**
 * Compares the gateway that keeps a ledger with the one that keeps none. Two processes of the same program can differ by
 * more than a ledger costs, by where their memory came to lie and what was compiled when; so it is done with several pairs.
 */
export async function measureMetering(upstreamUrl: string, options: Options): Promise<Verdict[]> {
  const floor = await startFloor(upstreamUrl);
  await warmUp([floor]);
  const plain: number[][] = [[], [], []];
  const stream: number[][] = [[], [], []];
  for (let pair = 0; pair < options.pairs; pair++) {
    const ledger = await startMeteringGateway(upstreamUrl);
    const none = await startGateway(upstreamUrl);
    await warmUp([ledger, none]);
    await addRounds([ledger, none, floor], options, plain, stream);
    for (const { load, server } of [ledger, none]) {
      await load.close();
      await server.stop();
    }
  }
  return [
    judgeExtra("ledger, CPU per small request", plain, 1, SMALL_REQUEST),
    judgeExtra("ledger, CPU per event of a stream", stream, STREAM_EVENTS, STREAM_EVENT),
  ];
}

async function addRounds(
  contestants: readonly Contestant[],
  { rounds, requests, streams, budgetMs }: Options,
  plain: number[][],
  stream: number[][],
): Promise<void> {
  const often = { rounds, budgetMs };
  const plainRounds = { ...often, kind: PLAIN, requests, slice: SLICE_REQUESTS };
  for (const [index, us] of (await measureRounds(contestants, plainRounds)).entries())
    plain[index]?.push(...us);
  const streamRounds = { ...often, kind: STREAM, requests: streams, slice: SLICE_STREAMS };
  for (const [index, us] of (await measureRounds(contestants, streamRounds)).entries())
    stream[index]?.push(...us);
}
