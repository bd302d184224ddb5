import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import type { TokenCounts } from "./record.ts";
import { parseRetryAfter } from "../http/retry-after.ts";

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
  /** Whether the lookup of any other generation would be refused as well. */
  readonly isGeneral: boolean;
  /** The wait that OpenRouter requests (`retry-after`); undefined if it requests none. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, headers: IncomingHttpHeaders) {
    super("upstream_error", `OpenRouter responded to a cost lookup with status ${status}.`);
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
