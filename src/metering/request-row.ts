import type { RequestContext } from "../http/request-context.ts";
import type { Reservation } from "../budgets/reservation.ts";
import { ANONYMOUS } from "../auth/caller-key.ts";
import { EMPTY_ROW, INTERRUPTED, type RequestRow, STATE, TOKEN_COUNTS, UNKNOWN_COST } from "./record.ts";
import { toNanodollars } from "../money.ts";
import { parseTokenCount, parseUsdAmount } from "./stated-amounts.ts";
import type { HeadEntry, StartEntry } from "./journal/format.ts";
import { toColumnText } from "../bounded-text.ts";

/** Identity of a new record. */
export interface RecordStart {
  readonly id: string;
  /** ms since 1970. */
  readonly startedAt: number;
  /** The money that budgets hold for the request; undefined: the request has no budget. */
  readonly reservation: Reservation | undefined;
}

/** Returns the properties of a request that are known at its start. */
export function toStartEntry(
  context: RequestContext,
  { id, startedAt, reservation }: RecordStart,
): StartEntry {
  // A request that has only soft budgets holds nothing.
  const held = reservation && reservation.reservedIn !== "" ? reservation : undefined;
  return {
    id,
    request_id: context.requestId,
    key_id: context.keyId ?? ANONYMOUS,
    key_name: context.keyName ?? ANONYMOUS,
    endpoint: context.endpoint,
    session: toStorableText(context.session),
    group_id: context.groupId ?? null,
    end_user: toStorableText(context.endUser),
    reserved_nanodollars: held?.nanodollars ?? null,
    reserved_in: held?.reservedIn ?? null,
    requested_model: toStorableText(context.requestedModel),
    forwarded_model: toStorableText(context.forwardedModel),
    stream: context.stream ? 1 : 0,
    bytes_in: context.bytesIn,
    started_at: startedAt,
  };
}

/** Creates the row of an in-flight request. */
export function createOpenRow(startEntry: StartEntry, instance: string): RequestRow {
  // Lists the properties by name: spreading a second object would double the run time of this function.
  return {
    ...EMPTY_ROW,
    id: startEntry.id,
    request_id: startEntry.request_id,
    instance,
    key_id: startEntry.key_id,
    key_name: startEntry.key_name,
    endpoint: startEntry.endpoint,
    session: startEntry.session,
    group_id: startEntry.group_id,
    end_user: startEntry.end_user,
    reserved_nanodollars: startEntry.reserved_nanodollars,
    reserved_in: startEntry.reserved_in,
    requested_model: startEntry.requested_model,
    forwarded_model: startEntry.forwarded_model,
    stream: startEntry.stream,
    state: STATE.open,
    bytes_in: startEntry.bytes_in,
    started_at: startEntry.started_at,
  };
}

/**
 * Completes the row of an ended request. Changes the row in place instead of copying it, because a gateway completes
 * thousands of rows per second.
 * @param endedAt ms since 1970. @param settleAfterMs time until OpenRouter may have a record of the request.
 */
export function completeRow(
  row: RequestRow,
  context: RequestContext,
  endedAt: number,
  settleAfterMs: number,
): void {
  const { usage } = context;
  const cost = findCost(context);
  row.state = cost.state;
  row.cost_nanodollars = cost.cost_nanodollars;
  row.cost_source = cost.cost_source;
  row.generation_id = toStorableText(context.generationId);
  row.response_model = toStorableText(context.responseModel);
  row.provider = toStorableText(context.provider);
  row.status = context.status;
  row.outcome = context.outcome ?? null;
  for (const name of TOKEN_COUNTS) row[name] = parseTokenCount(usage?.tokens[name]) ?? null;
  row.is_byok = usage?.isByok === undefined ? null : Number(usage.isByok);
  row.upstream_inference_nanodollars = parseNanodollars(usage?.upstreamInferenceUsd);
  row.first_byte_ms = context.firstByteAt === 0 ? null : Math.round(context.firstByteAt - context.startedAt);
  row.total_ms = Math.round(context.endedAt - context.startedAt);
  row.bytes_out = context.bytesOut;
  row.ended_at = endedAt;
  row.settle_at = cost.state === STATE.pending ? endedAt + settleAfterMs : null;
}

type Cost = Pick<RequestRow, "state" | "cost_nanodollars" | "cost_source">;

const NOTHING_CHARGED: Cost = { state: STATE.settled, cost_nanodollars: 0, cost_source: "none" };
const UNKNOWN: Cost = { ...UNKNOWN_COST, cost_nanodollars: null };
const NEEDS_LOOKUP: Cost = { state: STATE.pending, cost_nanodollars: null, cost_source: null };

/**
 * Creates the row of a request whose process died.
 * @param head undefined if upstream's response head had not arrived. @param endedAt ms since 1970.
 */
export function createInterruptedRow(
  open: RequestRow,
  head: HeadEntry | undefined,
  endedAt: number,
): RequestRow {
  // A status alone does not prove a refusal. A complete body could, but the process died before it recorded one.
  const cost = head?.generationId === undefined ? UNKNOWN : NEEDS_LOOKUP;
  return {
    ...open,
    ...cost,
    generation_id: toStorableText(head?.generationId),
    status: head?.status ?? 0,
    outcome: INTERRUPTED,
    ended_at: endedAt,
    settle_at: cost.state === STATE.pending ? endedAt : null,
  };
}

/** Returns the cost of an ended request, as far as its response states it, and whether the cost has to be looked up. */
export function findCost(context: RequestContext): Cost {
  const { usage, isUncharged } = context;
  const costNanodollars = parseNanodollars(usage?.costUsd);
  // Before its end, a response may state a preliminary cost.
  if (costNanodollars !== null && context.isResponseComplete) {
    return {
      state: STATE.settled,
      cost_nanodollars: costNanodollars,
      cost_source: context.stream ? "stream" : "body",
    };
  }
  if (context.generationId !== undefined) return NEEDS_LOOKUP;
  if (!context.wasSent) return NOTHING_CHARGED;
  return isUncharged ? NOTHING_CHARGED : UNKNOWN;
}

function toStorableText(value: string | undefined): string | null {
  return value === undefined ? null : toColumnText(value);
}

function parseNanodollars(usd: number | undefined): number | null {
  const amount = parseUsdAmount(usd);
  return amount === undefined ? null : toNanodollars(amount);
}
