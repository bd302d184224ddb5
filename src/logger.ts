import { pino, type DestinationStream, type Logger } from "pino";
import type { Exchange } from "./http/exchange.ts";

/** Lines wait for each other up to this long or this many bytes, because a system call costs far more than a line. */
const FLUSH_EVERY_MS = 100;
const FLUSH_AT_BYTES = 65_536;
const WRITE_MAX_BYTES = 131_072;
/** Lines that nobody reads are dropped beyond this, so that a blocked pipe cannot fill the memory. */
const BUFFER_MAX_BYTES = 16_777_216;

/**
 * Makes the process's logger: JSON lines. What is logged is listed here field by field; headers, bodies and URLs never
 * are, so that there is nothing to redact.
 * @param destination instead of standard output.
 */
export function createLogger(level: string, destination = standardOutput()): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** Standard output, written without waiting for its reader, and not touched while there is nothing to write. */
function standardOutput(): DestinationStream {
  const output = pino.destination({
    dest: 1,
    sync: false,
    minLength: FLUSH_AT_BYTES,
    maxWrite: WRITE_MAX_BYTES,
    maxLength: BUFFER_MAX_BYTES,
    contentMode: "buffer",
  });
  let unwritten = 0;
  let timer: NodeJS.Timeout | undefined;
  // Its own `periodicFlush` writes nothing ten times a second, in another thread: most of what an idle gateway took.
  const flushSoon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (unwritten > 0) output.flush();
    }, FLUSH_EVERY_MS).unref();
  };
  output.on("write", (bytes) => {
    unwritten -= bytes;
    // What came while this was being written.
    if (unwritten > 0) flushSoon();
  });
  output.on("drop", (line) => void (unwritten -= line.length));
  // As strings, all waiting lines would be joined anew at every line: 26 KB of garbage a request.
  const write = (text: string): boolean => {
    const line = Buffer.from(text);
    unwritten += line.length;
    flushSoon();
    return output.write(line as unknown as string);
  };
  return { write, flush: (done: () => void) => output.flush(done) } as DestinationStream;
}

/** Writes the one line that says what became of a request. */
export function logExchange(logger: Logger, exchange: Exchange): void {
  logger[levelOf(exchange)](recordOf(exchange), "request");
}

const HEALTH_ROUTES = new Set(["/healthz", "/readyz"]);

function levelOf(exchange: Exchange): "error" | "warn" | "info" | "debug" {
  // Load balancers ask every second or oftener.
  if (HEALTH_ROUTES.has(exchange.route)) return "debug";
  if (exchange.errorSource === "gateway") return "error";
  return exchange.outcome === "upstream_error" ? "warn" : "info";
}

function recordOf(exchange: Exchange): Record<string, unknown> {
  return {
    request_id: exchange.requestId,
    key: exchange.keyName,
    method: exchange.method,
    route: exchange.route,
    model: cut(exchange.modelAsked),
    model_sent: cut(exchange.modelSent),
    stream: exchange.stream,
    status: exchange.status,
    upstream_status:
      exchange.upstreamStatus === exchange.status ? undefined : exchange.upstreamStatus || undefined,
    outcome: exchange.outcome,
    error: exchange.errorCode,
    cause: exchange.errorCause,
    incomplete: exchange.incomplete || undefined,
    retries: exchange.retries || undefined,
    bytes_in: exchange.bytesIn,
    bytes_out: exchange.bytesOut,
    first_byte_ms:
      exchange.firstByteAt === 0 ? undefined : rounded(exchange.firstByteAt - exchange.startedAt),
    duration_ms: rounded(exchange.endedAt - exchange.startedAt),
    generation_id: exchange.generationId,
    usage: exchange.usage && {
      prompt_tokens: exchange.usage.promptTokens,
      completion_tokens: exchange.usage.completionTokens,
      cached_tokens: exchange.usage.cachedTokens,
      reasoning_tokens: exchange.usage.reasoningTokens,
    },
    cost_usd: exchange.usage?.costUsd,
  };
}

/** A caller chooses this text: JSON keeps it on its line, and it may not be long. */
function cut(text: string | undefined): string | undefined {
  return text === undefined || text.length <= 128 ? text : `${text.slice(0, 128)}…`;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
