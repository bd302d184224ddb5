import { type Contestant, measureRounds, type RoundsOptions } from "./compare.ts";
import { startFloor, startGateway, startMeteringGateway } from "./contestants.ts";
import { PLAIN, STREAM } from "./load.ts";
import type { Options } from "./options.ts";
import { judgeExtra, type Trio, type Verdict } from "./report.ts";
import { STREAM_EVENTS } from "./traffic.ts";
import { warmUp } from "./warm-up.ts";

/**
 * What a ledger may cost, in µs of CPU time, and what the floor takes on the machine of the bars: 34 to 60 µs a small request,
 * of which the dearer end makes the ledger look dearer.
 */
const SMALL_REQUEST = { barUs: 6, floorUs: 60 };
const STREAM_EVENT = { barUs: 0.5, floorUs: 8.7 };

/** Some tenths of a second: with fewer the ledger would write smaller batches than it does for a load without gaps. */
const SLICE_REQUESTS = 512;
const SLICE_STREAMS = 128;

/**
 * Compares the gateway that keeps a ledger with the one that keeps none. Two processes of the same program can differ by
 * more than a ledger costs, by where their memory came to lie and what was compiled when; so it is done with several pairs.
 */
export async function measureMetering(upstreamUrl: string, options: Options): Promise<Verdict[]> {
  const floor = await startFloor(upstreamUrl);
  await warmUp([floor]);
  const plain: Trio[] = [];
  const stream: Trio[] = [];
  for (let pair = 0; pair < options.pairs; pair++) {
    const { ledger, none } = await startPair(upstreamUrl, pair % 2 === 0);
    const measure = async (load: Pick<RoundsOptions, "kind" | "requests" | "slice">): Promise<Trio> => {
      const { rounds, budgetMs } = options;
      const us = await measureRounds([ledger, none, floor], { ...load, rounds, budgetMs });
      const [tested = [], without = [], ofFloor = []] = us;
      return { tested, without, floor: ofFloor };
    };
    plain.push(await measure({ kind: PLAIN, requests: options.requests, slice: SLICE_REQUESTS }));
    stream.push(await measure({ kind: STREAM, requests: options.streams, slice: SLICE_STREAMS }));
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

async function startPair(
  upstreamUrl: string,
  ledgerFirst: boolean,
): Promise<{ ledger: Contestant; none: Contestant }> {
  const early = ledgerFirst ? await startMeteringGateway(upstreamUrl) : undefined;
  const none = await startGateway(upstreamUrl);
  const ledger = early ?? (await startMeteringGateway(upstreamUrl));
  await warmUp(ledgerFirst ? [ledger, none] : [none, ledger]);
  return { ledger, none };
}
