import type { JsonObject } from "../json-values.ts";
import type { PromptParts, RequestBody } from "./prompt-size.ts";
import type { UnboundedRules } from "./unbounded-costs.ts";

/** How the cost of the requests of one endpoint is bounded. */
export interface CostRules {
  /** The output of the endpoint's models. Only models for text are in OpenRouter's unfiltered list. */
  readonly output: "text" | "embeddings" | "rerank";
  readonly unbounded: UnboundedRules;
  /** Reads the parts of a request that can take more tokens than their bytes. */
  readParts(fields: JsonObject): PromptParts;
  /** How the length of a completion is bounded; undefined: the endpoint generates no tokens. */
  readonly completion: CompletionRules | undefined;
  /** Returns how often a request is charged the price of a request; by default once. */
  countRequests?(fields: JsonObject): number;
  /** Recognizes frequent requests whose bound is simple; undefined: no request is. */
  readonly plain: PlainRules | undefined;
}

/** How the length of the completions of one endpoint is bounded. */
export interface CompletionRules {
  /** The names of the fields that limit a completion, the preferred one first. */
  readonly limitFields: readonly [string, string?];
  /** Returns the fields that limit a completion, with their names in a chat completion request. */
  toChatFields(fields: JsonObject): JsonObject;
  /** Returns how often the whole prompt may be billed, such as once for each choice. */
  countPromptUses(fields: JsonObject): number;
  /** Returns the bytes of the request that may be billed as completion tokens in addition to each completion. */
  boundRepeatedBytes?(body: RequestBody): number;
}

/**
 * Recognizes requests that consist of texts, and of fields that do not affect the cost or limit the completion. Their bound
 * takes a fraction of a microsecond.
 */
export interface PlainRules {
  /** Names of the top-level fields that a plain request can have. */
  readonly fields: ReadonlySet<string>;
  /** The top-level field that contains the texts. */
  readonly textField: string;
  /** Returns the number of texts that a template surrounds with marks; -1 if the value contains anything but texts. */
  countTexts(value: unknown): number;
}
