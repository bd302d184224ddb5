import { checkChatRequest, type ChatFields } from "./chat-schema.ts";
import { type NestedModel, findNestedModels } from "./nested-models.ts";
import { parseJsonObject } from "./json-object.ts";
import { normalizeModelId } from "./model-id.ts";
import { cutInPlace, findPrefixSpan } from "./splice.ts";
import type { Span, TopLevelFields } from "./top-level-fields.ts";
import type { JsonObject } from "../json-values.ts";

/** A valid chat completion request. */
export interface ChatRequest {
  /** The first model of the request, as the client wrote it; undefined if the request has only a preset. */
  readonly requestedModel: string | undefined;
  /** The same model without the optional prefix `openrouter/`. */
  readonly forwardedModel: string | undefined;
  /** All values of `model` and `models`, without the optional prefix. */
  readonly models: readonly string[];
  /** Further models that OpenRouter may call because of plugins, tools or `speed`. */
  readonly nestedModels: readonly NestedModel[];
  /** The value of `preset`. A preset inside a model id is not included. */
  readonly preset: string | undefined;
  readonly stream: boolean;
  /** The parsed body. Its model ids still have the prefix. */
  readonly fields: JsonObject;
  /** The body to forward: the client's bytes without the optional prefix of the model ids. */
  readonly body: Buffer;
}

/**
 * Validates the body of a chat completion request, and removes the optional prefix from its model ids in place.
 * @param body the raw bytes. This function changes them, so use the returned `body` instead.
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
