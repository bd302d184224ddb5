import type { RequestContext } from "../http/request-context.ts";
import { ANONYMOUS } from "../auth/caller-key.ts";
import type { RequestRow } from "./record.ts";
import { toNanodollars } from "./money.ts";
import { parseTokenCount, parseUsdAmount } from "./stated-amounts.ts";
import type { HeadEntry, StartEntry } from "./journal/format.ts";
import { toColumnText } from "../bounded-text.ts";

/** What is known of a request when it begins. @param startedAt ms since 1970. */
export function toStartEntry(context: RequestContext, id: string, startedAt: number): StartEntry {
  return {
    id,
    request_id: context.requestId,
    key_id: context.keyId ?? ANONYMOUS,
    key_name: context.keyName ?? ANONYMOUS,
    requested_model: text(context.requestedModel),
    forwarded_model: text(context.forwardedModel),
    stream: context.stream ? 1 : 0,
    bytes_in: context.bytesIn,
    started_at: startedAt,
  };
}

/** The row of a request of which no more than its beginning is known. */
export function createOpenRow(startEntry: StartEntry, instance: string): RequestRow {
  // Each field by its name: V8 grows an object that begins with another's fields step by step.
  return {
    id: startEntry.id,
    request_id: startEntry.request_id,
    generation_id: null,
    instance,
    key_id: startEntry.key_id,
    key_name: startEntry.key_name,
    requested_model: startEntry.requested_model,
    forwarded_model: startEntry.forwarded_model,
    response_model: null,
    provider: null,
    stream: startEntry.stream,
    status: 0,
    outcome: null,
    state: "open",
    prompt_tokens: null,
    completion_tokens: null,
    cached_tokens: null,
    cache_write_tokens: null,
    reasoning_tokens: null,
    cost_nanodollars: null,
    cost_source: null,
    is_byok: null,
    upstream_inference_nanodollars: null,
    first_byte_ms: null,
    total_ms: null,
    bytes_in: startEntry.bytes_in,
    bytes_out: 0,
    started_at: startEntry.started_at,
    ended_at: null,
    settle_attempts: 0,
    settle_at: null,
  };
}

/**
 * Completes the row of a request that has ended, in place: a gateway makes thousands of them a second.
 * @param endedAt ms since 1970. @param settleAfterMs when OpenRouter's record of it may be there.
 */
export function completeRow(
  row: RequestRow,
  context: RequestContext,
  endedAt: number,
  settleAfterMs: number,
): void {
  const { usage } = context;
  const bill = billOf(context);
  row.state = bill.state;
  row.cost_nanodollars = bill.cost_nanodollars;
  row.cost_source = bill.cost_source;
  row.generation_id = text(context.generationId);
  row.response_model = text(context.responseModel);
  row.provider = text(context.provider);
  row.status = context.status;
  row.outcome = context.outcome ?? null;
  row.prompt_tokens = parseTokenCount(usage?.promptTokens) ?? null;
  row.completion_tokens = parseTokenCount(usage?.completionTokens) ?? null;
  row.cached_tokens = parseTokenCount(usage?.cachedTokens) ?? null;
  row.cache_write_tokens = parseTokenCount(usage?.cacheWriteTokens) ?? null;
  row.reasoning_tokens = parseTokenCount(usage?.reasoningTokens) ?? null;
  row.is_byok = usage?.isByok === undefined ? null : Number(usage.isByok);
  row.upstream_inference_nanodollars = nanodollars(usage?.upstreamInferenceUsd);
  row.first_byte_ms = context.firstByteAt === 0 ? null : Math.round(context.firstByteAt - context.startedAt);
  row.total_ms = Math.round(context.endedAt - context.startedAt);
  row.bytes_out = context.bytesOut;
  row.ended_at = endedAt;
  row.settle_at = bill.state === "pending" ? endedAt + settleAfterMs : null;
}

type Bill = Pick<RequestRow, "state" | "cost_nanodollars" | "cost_source">;

const NOTHING_CHARGED: Bill = { state: "settled", cost_nanodollars: 0, cost_source: "none" };
const NOT_KNOWN: Bill = { state: "unknown", cost_nanodollars: null, cost_source: "unknown" };
const TO_BE_ASKED: Bill = { state: "pending", cost_nanodollars: null, cost_source: null };

/**
 * The row of a request whose process died. @param head undefined: upstream's had not come. @param endedAt ms since 1970.
 */
export function createInterruptedRow(
  open: RequestRow,
  head: HeadEntry | undefined,
  endedAt: number,
): RequestRow {
  // A status alone does not prove a refusal, and the body that could was never seen whole.
  const bill = head?.generationId === undefined ? NOT_KNOWN : TO_BE_ASKED;
  return {
    ...open,
    ...bill,
    generation_id: text(head?.generationId),
    status: head?.status ?? 0,
    outcome: "interrupted",
    ended_at: endedAt,
    settle_at: bill.state === "pending" ? endedAt : null,
  };
}

function billOf(context: RequestContext): Bill {
  const { usage, isUncharged } = context;
  const cost = nanodollars(usage?.costUsd);
  // What an answer states before its end is not yet the whole bill.
  if (cost !== null && context.isResponseComplete) {
    return { state: "settled", cost_nanodollars: cost, cost_source: context.stream ? "stream" : "body" };
  }
  if (context.generationId !== undefined) return TO_BE_ASKED;
  if (!context.wasSent) return NOTHING_CHARGED;
  return isUncharged ? NOTHING_CHARGED : NOT_KNOWN;
}

function text(value: string | undefined): string | null {
  return value === undefined ? null : toColumnText(value);
}

function nanodollars(usd: number | undefined): number | null {
  const amount = parseUsdAmount(usd);
  return amount === undefined ? null : toNanodollars(amount);
}
