// Compares the CPU time of the gateway with that of a minimal proxy, the baseline, and checks the ratio against budgets.
import { type BenchTarget, measureRounds } from "./compare.ts";
import { startBaseline, startGateway, startMeasuredGateway, startUpstream } from "./targets.ts";
import { PLAIN, STREAM } from "./load.ts";
import { measureMetering } from "./metering.ts";
import { type BenchOptions, readOptions } from "./options.ts";
import { judgeRatio, judgeStartup, formatVerdicts, type Verdict } from "./report.ts";
import { stopServers } from "./server-process.ts";
import { measureStartups } from "./startup.ts";
import { warmUp } from "./warm-up.ts";

/** Budgets: maximum ratios of the gateway's CPU time to the baseline's, and maximum startup time. */
const PLAIN_BUDGET = 2.2;
const STREAM_BUDGET = 1.8;
const STARTUP_BUDGET_MS = 700;

/** Number of requests to one server before the other server is measured. They take a few hundredths of a second. */
const SLICE_REQUESTS = 128;
const SLICE_STREAMS = 32;

async function measure(options: BenchOptions): Promise<Verdict[]> {
  const upstreamUrl = await startUpstream();
  if (options.metering) return measureMetering(upstreamUrl, options);
  if (options.metrics)
    return compareBoth(await startMeasuredGateway(upstreamUrl), await startGateway(upstreamUrl), options);
  const baseline = await startBaseline(upstreamUrl);
  if (options.baselineTwice) return compareBoth(await startBaseline(upstreamUrl), baseline, options);
  const verdicts = await compareBoth(await startGateway(upstreamUrl), baseline, options, {
    plain: PLAIN_BUDGET,
    stream: STREAM_BUDGET,
  });
  const { first, later } = await measureStartups(upstreamUrl, options.startups);
  return [
    ...verdicts,
    judgeStartup("first start to first response", first, STARTUP_BUDGET_MS),
    judgeStartup("later start to first response", later, STARTUP_BUDGET_MS),
  ];
}

async function compareBoth(
  tested: BenchTarget,
  baseline: BenchTarget,
  { rounds, requests, streams, budgetMs }: BenchOptions,
  budgets: { plain?: number; stream?: number } = {},
): Promise<Verdict[]> {
  const both = [tested, baseline];
  await warmUp(both);
  const often = { rounds, budgetMs };
  const plain = await measureRounds(both, { ...often, kind: PLAIN, requests, slice: SLICE_REQUESTS });
  const stream = await measureRounds(both, {
    ...often,
    kind: STREAM,
    requests: streams,
    slice: SLICE_STREAMS,
  });
  return [
    judgeRatio("CPU per small request", plain, budgets.plain),
    judgeRatio("CPU per stream of 50 events", stream, budgets.stream),
  ];
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const options = readOptions();
  const { deadlineMs } = options;
  // Ends the benchmark if a process hangs. Otherwise it ends long before the deadline.
  const deadline = setTimeout(() => fail(`not finished after ${deadlineMs} ms`), deadlineMs);
  const verdicts = await measure(options);
  process.stdout.write(`${formatVerdicts(verdicts)}\n`);
  clearTimeout(deadline);
  stopServers();
  process.exit(verdicts.some(({ passed }) => passed === false) ? 1 : 0);
}

main().catch(fail);
