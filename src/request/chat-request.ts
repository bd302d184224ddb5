import { checkChatRequest, type ChatFields } from "./chat-schema.ts";
import { type NestedModel, findNestedModels } from "./nested-models.ts";
import { parseJsonObject } from "./json-object.ts";
import { normalizeModelId } from "./model-id.ts";
import { cutInPlace, findPrefixSpan } from "./splice.ts";
import type { Span, TopLevelFields } from "./top-level-fields.ts";
import type { JsonObject } from "../json-values.ts";

/** A chat completion request that may be forwarded. */
export interface ChatRequest {
  /** The first model the caller named, as it was written; undefined when a preset stands in. */
  readonly requestedModel: string | undefined;
  /** The same under OpenRouter's name. */
  readonly forwardedModel: string | undefined;
  /** Every model the caller named, under OpenRouter's names. */
  readonly models: readonly string[];
  /** The models that its plugins, its tools and its `speed` ask besides. */
  readonly nestedModels: readonly NestedModel[];
  /** The preset the caller named apart from a model. */
  readonly preset: string | undefined;
  readonly stream: boolean;
  /** The parsed body, as it came. */
  readonly fields: JsonObject;
  /** The caller's bytes but for the optional prefix of model ids. */
  readonly body: Buffer;
}

/**
 * Checks the body of a chat completion and takes the optional prefix off its model ids, in place.
 * @param body the raw bytes; must not be used after.
 * @throws GatewayError 400 that names the first issue.
 */
export function readChatRequest(body: Buffer): ChatRequest {
  const { value, fields } = parseJsonObject(body);
  const request = checkChatRequest(value);
  const requestedModel = request.model ?? request.models?.[0];
  const { preset } = value as { preset?: unknown };
  const models = listModelNames(request);
  return {
    requestedModel,
    forwardedModel: requestedModel === undefined ? undefined : normalizeModelId(requestedModel),
    models,
    nestedModels: findNestedModels(value, models),
    preset: typeof preset === "string" ? preset : undefined,
    stream: request.stream === true,
    fields: value,
    body: cutInPlace(body, findPrefixSpans(body, request, fields)),
  };
}

function listModelNames({ model, models }: ChatFields): string[] {
  const names = (models ?? []).map(normalizeModelId);
  return model === undefined || model === null ? names : [normalizeModelId(model), ...names];
}

function findPrefixSpans(body: Buffer, request: ChatFields, fields: TopLevelFields): Span[] {
  const ids = fields.models.map((span, index) => ({ span, id: request.models?.[index] }));
  if (fields.model) ids.push({ span: fields.model, id: request.model ?? undefined });
  return ids
    .map(({ span, id }) => (id === undefined ? undefined : findPrefixSpan(body, span, id)))
    .filter((span) => span !== undefined)
    .toSorted((a, b) => a.start - b.start);
}
