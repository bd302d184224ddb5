import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import { mapTokenCounts, type RequestRow, STATE, type TokenCounts } from "./record.ts";
import { parseRetryAfter } from "../http/retry-after.ts";
import type { LookupFailure } from "./lookup-backoff.ts";
import type { Settlement } from "./sql/settlements.ts";

/** Statuses from 400 to 499 that concern the account or the request rate, not the generation. */
const GENERAL_STATUSES: ReadonlySet<number> = new Set([401, 402, 403, 407, 408, 429]);

/** OpenRouter's record of one generation. */
export interface GenerationRecord {
  readonly costNanodollars: number;
  readonly tokens: TokenCounts;
  /** Whether the account's own key at the provider was used; undefined if the record does not state it. */
  readonly isByok: boolean | undefined;
  /** The provider's charge. It is part of the cost, except with BYOK: then it is charged in addition to the cost. */
  readonly upstreamInferenceNanodollars: number | undefined;
  readonly provider: string | undefined;
  readonly model: string | undefined;
}

/** Fetches the record of a generation by its id. @returns undefined if OpenRouter has no record yet. */
export type FindGeneration = (id: string) => Promise<GenerationRecord | undefined>;

/** The error of a cost lookup to which OpenRouter responded with neither a record nor 404. */
export class LookupRefused extends GatewayError {
  readonly upstreamStatus: number;
  /** Whether the lookup of any other generation would be refused as well. */
  readonly isGeneral: boolean;
  /** The wait that OpenRouter requests (`retry-after`); undefined if it requests none. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, headers: IncomingHttpHeaders) {
    super("upstream_error", `OpenRouter responded to a cost lookup with status ${status}.`);
    this.upstreamStatus = status;
    this.isGeneral = status < 400 || status >= 500 || GENERAL_STATUSES.has(status);
    this.retryAfterMs = parseRetryAfter(headers);
  }
}

/**
 * Whether the cost in a record is final. OpenRouter creates the record before it has counted the tokens: until then the cost
 * is 0 and the counts are null or 0. The record of a generation that was cancelled early may keep these values.
 */
export function hasFinalCost({ costNanodollars, tokens }: GenerationRecord): boolean {
  if (costNanodollars > 0) return true;
  const { prompt_tokens, completion_tokens } = tokens;
  return (
    prompt_tokens !== undefined && completion_tokens !== undefined && prompt_tokens + completion_tokens > 0
  );
}

/** Returns the consequences of a failed lookup for later lookups. @param error the error that the lookup threw. */
export function toLookupFailure(error: unknown): LookupFailure {
  if (error instanceof LookupRefused) return error;
  // An invalid record affects only its own generation. Any other error means that OpenRouter did not respond.
  const isGeneral = error instanceof GatewayError && error.code !== "upstream_bad_response";
  return { isGeneral, retryAfterMs: undefined };
}

/** Returns the columns that settle a row with the record of its generation. @param record undefined: the cost is null. */
export function toSettlement(record: GenerationRecord | undefined, row: RequestRow): Settlement {
  return {
    state: STATE.settled,
    cost_source: "generation",
    cost_nanodollars: record?.costNanodollars ?? null,
    ...mapTokenCounts((name) => record?.tokens[name] ?? row[name]),
    is_byok: record?.isByok === undefined ? row.is_byok : Number(record.isByok),
    upstream_inference_nanodollars:
      record?.upstreamInferenceNanodollars ?? row.upstream_inference_nanodollars,
    provider: row.provider ?? record?.provider ?? null,
    response_model: row.response_model ?? record?.model ?? null,
  };
}
