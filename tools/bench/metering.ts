import { type BenchTarget, measureRounds, computeMedian } from "./compare.ts";
import { startBaseline, startGateway, startMeteringGateway } from "./targets.ts";
import { PLAIN, type BenchRequest, STREAM } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { judgeExtra, reportMedian, type Verdict } from "./report.ts";
import { measureStreamsApart } from "./stream-cost.ts";
import { STREAM_EVENTS } from "./traffic.ts";
import { warmUp } from "./warm-up.ts";

/** Budget of the ledger, in µs of CPU time. */
const SMALL_REQUEST_BUDGET_US = 6;
const STREAM_EVENT_BUDGET_US = 0.5;

/** Number of requests in a slice, which takes some tenths of a second. With fewer, the ledger would write smaller batches. */
const SLICE_REQUESTS = 512;
const SLICE_STREAMS = 128;

/** CPU time of one kind of request, in µs. */
interface Figures {
  /** CPU time that a ledger adds: one value for each pair of processes, the median of the pair's rounds. */
  readonly extrasUs: number[];
  /** CPU time of the baseline in each round. */
  readonly baselineUs: number[];
}

/**
 * Compares a gateway that has a ledger with one that has none. The CPU times of two processes of the same program can differ by
 * more than a ledger costs, because of memory layout and the timing of compilation. Therefore several pairs are compared. The
 * cost of one event is smaller than the variation of sockets, so it is measured without sockets.
 */
export async function measureMetering(upstreamUrl: string, options: BenchOptions): Promise<Verdict[]> {
  const baseline = await startBaseline(upstreamUrl);
  await warmUp([baseline]);
  const plain: Figures = { extrasUs: [], baselineUs: [] };
  const stream: Figures = { extrasUs: [], baselineUs: [] };
  for (let pair = 0; pair < options.pairs; pair++) {
    const both = await startPair(upstreamUrl, pair % 2 === 0);
    await measurePair(
      [...both, baseline],
      plain,
      { kind: PLAIN, count: options.requests, slice: SLICE_REQUESTS },
      options,
    );
    await measurePair(
      [...both, baseline],
      stream,
      { kind: STREAM, count: options.streams, slice: SLICE_STREAMS },
      options,
    );
    for (const { load, server } of both) {
      await load.close();
      await server.stop();
    }
  }
  const apart = await measureStreamsApart(options.pairs);
  return [
    judgeExtra("ledger, CPU per small request", plain.extrasUs, SMALL_REQUEST_BUDGET_US),
    judgeExtra(
      "ledger, CPU per additional event of a stream, without sockets",
      apart.map(({ eventUs }) => eventUs),
      STREAM_EVENT_BUDGET_US,
    ),
    judgeExtra(
      `ledger, CPU per event: that of a whole stream divided by its ${STREAM_EVENTS} events`,
      stream.extrasUs.map((us) => us / STREAM_EVENTS),
      STREAM_EVENT_BUDGET_US,
    ),
    reportMedian(
      "ledger, CPU per stream without sockets (lower bound)",
      apart.map(({ streamUs }) => streamUs),
    ),
    reportMedian("bare Node, CPU per small request", plain.baselineUs),
    reportMedian(`bare Node, CPU per stream of ${STREAM_EVENTS} events`, stream.baselineUs),
  ];
}

/** @returns a gateway with a ledger and one without, both warmed up. */
async function startPair(upstreamUrl: string, ledgerFirst: boolean): Promise<[BenchTarget, BenchTarget]> {
  const early = ledgerFirst ? await startMeteringGateway(upstreamUrl) : undefined;
  const none = await startGateway(upstreamUrl);
  const ledger = early ?? (await startMeteringGateway(upstreamUrl));
  await warmUp(ledgerFirst ? [ledger, none] : [none, ledger]);
  return [ledger, none];
}

interface PairLoad {
  readonly kind: BenchRequest;
  readonly count: number;
  readonly slice: number;
}

/** @param targets a gateway with a ledger, one without, and the baseline. @param figures receives the results. */
async function measurePair(
  targets: readonly BenchTarget[],
  figures: Figures,
  { kind, count, slice }: PairLoad,
  { rounds, budgetMs }: BenchOptions,
): Promise<void> {
  const us = await measureRounds(targets, { kind, requests: count, slice, rounds, budgetMs });
  const [tested = [], without = [], baseline = []] = us;
  figures.extrasUs.push(computeMedian(tested.map((each, round) => each - (without[round] ?? Number.NaN))));
  figures.baselineUs.push(...baseline);
}
