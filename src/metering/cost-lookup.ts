import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import type { TokenCounts } from "./record.ts";
import { parseRetryAfter } from "../http/retry-after.ts";

/** Statuses below 500 that concern the account or the number of requests, and not the generation. */
const GENERAL_STATUSES: ReadonlySet<number> = new Set([401, 402, 403, 407, 408, 429]);

/** What OpenRouter records for one generation. */
export interface GenerationRecord {
  readonly costNanodollars: number;
  readonly tokens: TokenCounts;
  /** Undefined: it does not say. */
  readonly isByok: boolean | undefined;
  /** What the provider charges; only with BYOK it comes on top of the cost. */
  readonly upstreamInferenceNanodollars: number | undefined;
  readonly provider: string | undefined;
  readonly model: string | undefined;
}

/** Fetches the record of a generation by its id. @returns undefined while OpenRouter has none. */
export type FindGeneration = (id: string) => Promise<GenerationRecord | undefined>;

/** OpenRouter responded to a cost lookup with neither a record nor 404. */
export class LookupRefused extends GatewayError {
  /** Whether the lookup of any other generation would be refused as well. */
  readonly isGeneral: boolean;
  /** How long OpenRouter asks to be left alone; undefined when it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, headers: IncomingHttpHeaders) {
    super("upstream_error", `OpenRouter answered a cost lookup with status ${status}.`);
    this.isGeneral = status < 400 || status >= 500 || GENERAL_STATUSES.has(status);
    this.retryAfterMs = parseRetryAfter(headers);
  }
}

/**
 * Whether the cost in a record is final. OpenRouter creates a record before it has counted its tokens: until then the cost is
 * 0 and the counts are null or 0. A generation that was cancelled early may stay that way.
 */
export function hasFinalCost({ costNanodollars, tokens }: GenerationRecord): boolean {
  if (costNanodollars > 0) return true;
  const { prompt_tokens, completion_tokens } = tokens;
  return (
    prompt_tokens !== undefined && completion_tokens !== undefined && prompt_tokens + completion_tokens > 0
  );
}
