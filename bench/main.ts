// Measures what the gateway costs, as ratios to the least that a proxy can cost, and whether it keeps to its bars.
import { compare, type Comparison, type Contestant } from "./compare.ts";
import { startFloor, startGateway, startMeteringGateway, startUpstream } from "./contestants.ts";
import { PLAIN, STREAM } from "./load.ts";
import { type Options, readOptions } from "./options.ts";
import { judgeExtra, judgeRatio, judgeStartup, toTable, type Verdict } from "./report.ts";
import { STREAM_EVENTS } from "./traffic.ts";
import { stopServers } from "./server-process.ts";
import { measureStartup } from "./startup.ts";

/** How many times the CPU time of the floor the gateway may take, and how long to start. */
const PLAIN_BAR = 2.2;
const STREAM_BAR = 1.8;
const STARTUP_BAR_MS = 700;
/** What a ledger may cost, in CPU time per small request and per event of a stream. */
const METERING_BAR_US = 6;
const METERING_EVENT_BAR_US = 0.5;

/** After so many the compilers and the heaps of both processes have settled; before, both look dearer than they are. */
const WARM_UP_REQUESTS = 15_000;
const WARM_UP_STREAMS = 600;
/** Should a process hang: the comparisons and their warm-up are done long before. */
const DEADLINE_MS = 118_000;

async function measure(options: Options): Promise<Verdict[]> {
  const upstreamUrl = await startUpstream();
  if (options.metering) return measureMetering(upstreamUrl, options);
  const floor = await startFloor(upstreamUrl);
  if (options.floorTwice) return compareBoth(await startFloor(upstreamUrl), floor, options);
  const verdicts = await compareBoth(await startGateway(upstreamUrl), floor, options, {
    plain: PLAIN_BAR,
    stream: STREAM_BAR,
  });
  const startupsMs: number[] = [];
  while (startupsMs.length < options.startups) startupsMs.push(await measureStartup(upstreamUrl));
  return [...verdicts, judgeStartup("start to first answer", startupsMs, STARTUP_BAR_MS)];
}

async function measureMetering(upstreamUrl: string, options: Options): Promise<Verdict[]> {
  const metering = await startMeteringGateway(upstreamUrl);
  const { plain, stream } = await compareLoads(metering, await startGateway(upstreamUrl), options);
  return [
    judgeExtra("ledger, CPU per small request", plain, 1, METERING_BAR_US),
    judgeExtra("ledger, CPU per event of a stream", stream, STREAM_EVENTS, METERING_EVENT_BAR_US),
  ];
}

async function compareBoth(
  tested: Contestant,
  floor: Contestant,
  options: Options,
  bars: { plain?: number; stream?: number } = {},
): Promise<Verdict[]> {
  const { plain, stream } = await compareLoads(tested, floor, options);
  return [
    judgeRatio("CPU per small request", plain, bars.plain),
    judgeRatio("CPU per stream of 50 events", stream, bars.stream),
  ];
}

async function compareLoads(
  tested: Contestant,
  floor: Contestant,
  { rounds, requests, streams, budgetMs }: Options,
): Promise<{ plain: Comparison; stream: Comparison }> {
  for (const { load } of [tested, floor]) {
    await load.run(PLAIN, WARM_UP_REQUESTS);
    await load.run(STREAM, WARM_UP_STREAMS);
  }
  const plain = await compare(tested, floor, { kind: PLAIN, requests, rounds, budgetMs });
  return {
    plain,
    stream: await compare(tested, floor, { kind: STREAM, requests: streams, rounds, budgetMs }),
  };
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const deadline = setTimeout(() => fail(`not finished after ${DEADLINE_MS} ms`), DEADLINE_MS);
  const verdicts = await measure(readOptions());
  process.stdout.write(`${toTable(verdicts)}\n`);
  clearTimeout(deadline);
  stopServers();
  process.exit(verdicts.some(({ passed }) => passed === false) ? 1 : 0);
}

main().catch(fail);
