import type { ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Exchange } from "../src/http/exchange.ts";
import { Ledger } from "../src/ledger/ledger.ts";
import { createLogger } from "../src/logger.ts";
import { Relay } from "../src/relay/relay.ts";
import { openDatabase } from "../src/store/database.ts";
import type { UpstreamCall, UpstreamSink } from "../src/upstream/openrouter.ts";
import { median } from "./compare.ts";
import { spawnScript } from "./server-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { ANSWER_HEADERS, STREAM_ANSWER } from "./traffic.ts";

/** Streams that are under way at once, as in the load on whole gateways. */
const CONCURRENCY = 32;
const STREAMS = 6_400;
/** After the first ones it is as fast as it will be. */
const WARM_UP_ROUNDS = 2;
const ROUNDS = 20;
/** The last rows are written by then. */
const FLUSHED_MS = 250;
const HEAD = { status: 200, headers: { ...ANSWER_HEADERS, "content-type": "text/event-stream" } };
const MODEL = "openai/gpt-4o-mini";

/**
 * Measures what a ledger adds to a stream, without sockets: these are the same with a ledger and without, and take so much
 * more that it drowns in their noise. Relay, ledger, journal and SQLite are the gateway's own; all that they do until the
 * row is in the database counts.
 * @param processes how many do it, one after another. @returns what each of them found, in µs of CPU time a stream.
 */
export async function measureStreamsApart(processes: number): Promise<number[]> {
  const extrasUs: number[] = [];
  while (extrasUs.length < processes) {
    const child = spawnScript(new URL(import.meta.url), {});
    if (child.stdout === null) throw new Error("the output of a measurement has to be a pipe");
    extrasUs.push(Number(await text(child.stdout)));
  }
  return extrasUs;
}

/** Streams with a ledger and without, in turn, in this process. @returns by how much the former are dearer. */
async function measureStreams(): Promise<number> {
  const { ledger, close } = await openLedger();
  const extrasUs: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const withUs = await cpuOfStreams(ledger);
    const withoutUs = await cpuOfStreams(undefined);
    if (round >= WARM_UP_ROUNDS) extrasUs.push(withUs - withoutUs);
  }
  await close();
  return median(extrasUs);
}

async function openLedger(): Promise<{ ledger: Ledger; close: () => Promise<void> }> {
  const dataDir = temporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  await database.migrate();
  const ledger = new Ledger({
    database,
    dataDir,
    journalMaxBytes: 1e9,
    find: () => Promise.resolve(undefined),
    settleAfterMs: 60_000,
    settleGiveUpMs: 60_000,
    logger: createLogger("silent", { write: () => {} }),
  });
  const close = async (): Promise<void> => {
    await ledger.close();
    await database.close();
  };
  return { ledger, close };
}

/** @returns µs of CPU time a stream. */
async function cpuOfStreams(ledger: Ledger | undefined): Promise<number> {
  const before = process.cpuUsage();
  let left = STREAMS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await stream(ledger);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  await sleep(FLUSHED_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / STREAMS;
}

/** One stream, from the moment at which its request has been read until it has been reported. */
function stream(ledger: Ledger | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { request, reply, exchange } = newRequest((ended) => {
    ledger?.end(ended);
    resolve();
  });
  const relay = new Relay(request, reply, { ownsAccount: true, clientStallTimeoutMs: 0, readOn: undefined });
  const start = (): void =>
    relay.start(
      (sink) => new CannedCall(exchange.account?.hold(sink, exchange) ?? sink, () => relay.settle()),
    );
  if (ledger) ledger.begin(exchange, (error) => (error ? reject(error) : start()));
  else start();
  return promise;
}

/** A request upstream that is answered with the canned stream: the head in one turn of the loop, the rest in the next. */
class CannedCall implements UpstreamCall {
  readonly sent = true;
  #sink: UpstreamSink;

  constructor(sink: UpstreamSink, ended: () => void) {
    this.#sink = sink;
    setImmediate(() => {
      this.#sink.onHead(HEAD, this);
      setImmediate(() => this.#deliver(ended));
    });
  }

  #deliver(ended: () => void): void {
    for (const event of STREAM_ANSWER) this.#sink.onData(event);
    this.#sink.onEnd();
    ended();
  }

  abort(): void {}
  pause(): void {}
  resume(): void {}

  deliverTo(sink: UpstreamSink): void {
    this.#sink = sink;
  }
}

let count = 0;

function newRequest(report: (exchange: Exchange) => void) {
  const reply = { raw: response(), hijack: () => {}, getHeaders: () => ({}), server: SERVER };
  const id = `00000000-0000-4000-8000-${String(count++).padStart(12, "0")}`;
  const request = { id, method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
  const exchange = new Exchange(request, reply as unknown as FastifyReply, report);
  exchange.keyId = "env:bench";
  exchange.keyName = "bench";
  exchange.modelAsked = `openrouter/${MODEL}`;
  exchange.modelSent = MODEL;
  exchange.stream = true;
  request.exchange = exchange;
  return { request, reply: reply as unknown as FastifyReply, exchange };
}

const SERVER = { drain: { draining: false } };

/** A response to a caller that takes everything at once. */
function response(): ServerResponse {
  const stub = {
    headersSent: false,
    statusCode: 200,
    writableEnded: false,
    writableFinished: false,
    socket: null,
    on: () => {},
    flushHeaders: () => {},
    writeHead: () => void (stub.headersSent = true),
    write: () => true,
    end: () => void (stub.writableEnded = stub.writableFinished = true),
  };
  return stub as unknown as ServerResponse;
}

if (import.meta.main) process.stdout.write(String(await measureStreams()), () => process.exit(0));
