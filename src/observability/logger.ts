import { pino, type DestinationStream, type Logger } from "pino";
import type { Exchange } from "../http/request-context.ts";
import { LogOutput } from "./log-output.ts";
import { printableJson } from "../printable.ts";

/**
 * Makes the process's logger: JSON lines. What is logged is listed here field by field; headers, bodies and URLs never
 * are, so that there is nothing to redact.
 * @param destination instead of standard output.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: printableJson },
  };
  const logger = pino(options, destination ?? standardOutput());
  return logger;

  function standardOutput(): DestinationStream {
    return new LogOutput((lines) => logger.error({ lines }, "log: lines were dropped"));
  }
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
