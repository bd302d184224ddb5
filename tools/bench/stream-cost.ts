import { once } from "node:events";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { UsageRecorder } from "../../src/metering/usage-recorder.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { Checkpoints } from "../../src/store/checkpoints.ts";
import { openDatabase } from "../../src/store/database.ts";
import { relayCannedStream } from "./canned-stream.ts";
import { spawnScript } from "./server-process.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";
import { STREAM_RESPONSE } from "./traffic.ts";

/** Concurrent streams, the same number as in the measurement of complete gateways. */
const CONCURRENCY = 32;
/** Streams per measurement. A round has one measurement with a ledger and one without. */
const STREAMS = 3_200;
/** After these rounds, the process has compiled its hot code. */
const WARM_UP_ROUNDS = 2;
const ROUNDS = 20;
/** Time after which the last rows are written. */
const FLUSHED_MS = 250;
/** The same response with ten times as many events before the last three. */
const LONG_RESPONSE = [
  ...Array.from({ length: 10 }, () => STREAM_RESPONSE.slice(0, -3)).flat(),
  ...STREAM_RESPONSE.slice(-3),
];

/** CPU time that the ledger adds, in µs. */
interface StreamCost {
  /** For a stream of 50 events. A lower bound: 32 streams share a write to the journal here, and hundreds share a commit. */
  readonly streamUs: number;
  /** For each additional event of a stream. */
  readonly eventUs: number;
}

/**
 * Measures the CPU time that a ledger adds to streams. It uses no sockets, because the CPU time of sockets does not depend on
 * the ledger and varies by more than the ledger costs. Relay, ledger, journal and SQLite are those of the gateway.
 * @param processes number of processes that measure, one after another. @returns the result of each process.
 */
export async function measureStreamsApart(processes: number): Promise<StreamCost[]> {
  const found: StreamCost[] = [];
  while (found.length < processes) {
    const child = spawnScript(new URL(import.meta.url), {});
    if (child.stdout === null) throw new Error("the standard output of a measurement must be a pipe");
    const ended = once(child, "exit");
    const output = await text(child.stdout);
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw new Error(`a measurement ended with ${code}`);
    found.push(JSON.parse(output) as StreamCost);
  }
  return found;
}

/** Measures streams with a ledger and without, alternately, in this process. */
async function measureStreams(): Promise<StreamCost> {
  const { recorder, rows, close } = await openLedger();
  let [streamUs, longUs] = [0, 0];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const ledgerFirst = round % 2 === 0;
    const extra = await measureExtraUs(recorder, STREAM_RESPONSE, ledgerFirst);
    const longExtra = await measureExtraUs(recorder, LONG_RESPONSE, ledgerFirst);
    if (round < WARM_UP_ROUNDS) continue;
    // Means, not medians: rare work such as a garbage collection must count too.
    streamUs += extra / ROUNDS;
    longUs += longExtra / ROUNDS;
  }
  const expectedRows = 2 * STREAMS * (WARM_UP_ROUNDS + ROUNDS);
  if ((await rows()) !== expectedRows) throw new Error("the ledger does not have one row for each stream");
  await close();
  return { streamUs, eventUs: (longUs - streamUs) / (LONG_RESPONSE.length - STREAM_RESPONSE.length) };
}

async function measureExtraUs(
  recorder: UsageRecorder,
  response: readonly Buffer[],
  ledgerFirst: boolean,
): Promise<number> {
  const first = await measureStreamUs(ledgerFirst ? recorder : undefined, response);
  const second = await measureStreamUs(ledgerFirst ? undefined : recorder, response);
  return ledgerFirst ? first - second : second - first;
}

async function openLedger() {
  const dataDir = createTemporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  await database.migrate();
  const checkpoints = database.sqlite && new Checkpoints(database.sqlite, fail);
  checkpoints?.start();
  const recorder = new UsageRecorder({
    database,
    dataDir,
    isDataDirPersistent: true,
    journalMaxBytes: 1e9,
    findGeneration: () => Promise.resolve(undefined),
    settleAfterMs: 60_000,
    settleGiveUpMs: 60_000,
    logger: createLogger("silent", { write: () => {} }),
  });
  const close = async (): Promise<void> => {
    await recorder.close();
    await checkpoints?.stop();
    await database.close();
  };
  const rows = async (): Promise<number> => {
    const settled = database.kysely.selectFrom("requests").where("state", "=", "settled");
    const { count } = await settled
      .select((e) => e.fn.countAll<number>().as("count"))
      .executeTakeFirstOrThrow();
    return count;
  };
  return { recorder, rows, close };
}

/** @returns CPU time per stream, in µs. */
async function measureStreamUs(
  recorder: UsageRecorder | undefined,
  response: readonly Buffer[],
): Promise<number> {
  const before = process.cpuUsage();
  let left = STREAMS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await relayCannedStream(recorder, response);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  await sleep(FLUSHED_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / STREAMS;
}

function fail(error: Error): void {
  throw error;
}

if (import.meta.main) process.stdout.write(JSON.stringify(await measureStreams()), () => process.exit(0));
