import { pino, type DestinationStream, type Logger } from "pino";
import type { RequestContext } from "../http/request-context.ts";
import { LogOutput } from "./log-output.ts";
import { escapeUnprintableJson } from "../printable.ts";
import { truncate } from "../bounded-text.ts";

/**
 * Creates the logger of the process, which writes JSON lines. Only the fields listed in this file are logged for a request.
 * Headers, bodies and URLs are never logged, so nothing has to be redacted.
 * @param destination by default standard output.
 */
export function createLogger(level: string, destination: DestinationStream = new LogOutput()): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: escapeUnprintableJson },
  };
  const logger = pino(options, destination);
  if (destination instanceof LogOutput)
    destination.reportDropped((lines) => logger.error({ lines }, "log: lines dropped"));
  return logger;
}

/** Logs one line for a request that has ended. */
export function logRequest(logger: Logger, context: RequestContext): void {
  logger[chooseLevel(context)](toLogRecord(context), "request");
}

const MODEL_MAX_CHARS = 128;
const HEALTH_ROUTES = new Set(["/healthz", "/readyz"]);

/** Whether a request is a health check. Load balancers send one every second or more often. */
export function isHealthCheck({ route }: RequestContext): boolean {
  return HEALTH_ROUTES.has(route);
}

function chooseLevel(context: RequestContext): "error" | "warn" | "info" | "debug" {
  if (isHealthCheck(context)) return "debug";
  if (context.errorSource === "gateway") return "error";
  return context.outcome === "upstream_error" ? "warn" : "info";
}

function toLogRecord(context: RequestContext): Record<string, unknown> {
  return {
    request_id: context.requestId,
    key: context.keyName,
    method: context.method,
    route: context.route,
    requested_model: truncateModel(context.requestedModel),
    forwarded_model: truncateModel(context.forwardedModel),
    stream: context.stream,
    status: context.status,
    upstream_status:
      context.upstreamStatus === context.status ? undefined : context.upstreamStatus || undefined,
    outcome: context.outcome,
    error: context.errorCode,
    cause: context.errorCause,
    incomplete: context.isIncomplete || undefined,
    retries: context.retries || undefined,
    bytes_in: context.bytesIn,
    bytes_out: context.bytesOut,
    first_byte_ms: context.firstByteAt === 0 ? undefined : roundMs(context.firstByteAt - context.startedAt),
    duration_ms: roundMs(context.endedAt - context.startedAt),
    generation_id: context.generationId,
    usage: context.usage && {
      prompt_tokens: context.usage.tokens["prompt_tokens"],
      completion_tokens: context.usage.tokens["completion_tokens"],
      cached_tokens: context.usage.tokens["cached_tokens"],
      reasoning_tokens: context.usage.tokens["reasoning_tokens"],
    },
    cost_usd: context.usage?.costUsd,
  };
}

/** Limits the length of a model id, which the client chooses. JSON escapes line feeds, so the id cannot forge a log line. */
function truncateModel(model: string | undefined): string | undefined {
  return model === undefined ? undefined : truncate(model, MODEL_MAX_CHARS);
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
