import { GatewayError } from "../errors.ts";
import { checkSchema } from "./check-schema.ts";
import { type NestedModel, findNestedModels } from "./nested-models.ts";
import { parseJsonObject } from "./json-object.ts";
import { type ModelAliases, NO_ALIASES, resolveModelId } from "./model-aliases.ts";
import type { RequestShape } from "./request-shape.ts";
import { applyEdits, type Edit, findModelEdit } from "./splice.ts";
import type { Span, TopLevelFields } from "./top-level-fields.ts";
import type { JsonObject } from "../json-values.ts";

/** A valid request for a model. */
export interface ModelRequest {
  /** The first model of the request, as the client wrote it; undefined if the request has only a preset. */
  readonly requestedModel: string | undefined;
  /** The id that is forwarded for this model: without the optional prefix, and the target of an alias. */
  readonly forwardedModel: string | undefined;
  /** All values of `model`, `models` and `fallbacks[].model`, as they are forwarded. */
  readonly models: readonly string[];
  /** Further models that OpenRouter may call because of plugins, tools or `speed`. */
  readonly nestedModels: readonly NestedModel[];
  /** The value of `preset`. A preset inside a model id is not included. */
  readonly preset: string | undefined;
  readonly stream: boolean;
  /** The parsed body, with the model ids as the client wrote them. */
  readonly fields: JsonObject;
  /** The body to forward: the client's bytes with the model ids that are forwarded. */
  readonly body: Buffer;
}

/** Fields of a valid request that name models. */
interface NamedModels {
  readonly model?: string | null;
  readonly models?: readonly string[] | null;
  readonly fallbacks?: readonly { readonly model: string }[] | null;
  readonly preset?: string | null;
  readonly stream?: boolean | null;
}

/** A model id in the bytes of a request. */
interface LocatedId {
  readonly id: string;
  readonly span: Span;
}

/**
 * Validates the body of a request for a model, and changes its model ids to the ids that are forwarded.
 * @param body the raw bytes. This function changes them, so use the returned `body` instead.
 * @param shape what the requests of the endpoint look like.
 * @param aliases those of the gateway. @param own those of the client's key, which take precedence.
 * @throws GatewayError 400 that names the first issue.
 */
export function readModelRequest(
  body: Buffer,
  shape: RequestShape,
  aliases: ModelAliases,
  own = NO_ALIASES,
): ModelRequest {
  const { value, fields } = parseJsonObject(body, shape.limits);
  checkSchema(shape.schema, value);
  const named = value as NamedModels;
  if (!named.model && !named.models?.length && !named.preset) throw createMissingModelError();
  const ids = locateModelIds(named, fields, shape);
  const models = ids.map(({ id }) => resolveModelId(id, aliases, own));
  const edits = ids
    .map(({ id, span }, index) => findModelEdit(body, span, id, models[index] ?? id))
    .filter((edit) => edit !== undefined)
    .toSorted(byStart);
  return {
    requestedModel: ids[0]?.id,
    forwardedModel: models[0],
    models,
    nestedModels: findNestedModels(value, models),
    preset: named.preset ?? undefined,
    stream: named.stream === true,
    fields: value,
    body: applyEdits(body, edits),
  };
}

/** Returns the model ids of a request in their order of preference, with their positions in the body. */
function locateModelIds(named: NamedModels, fields: TopLevelFields, shape: RequestShape): LocatedId[] {
  const ids: LocatedId[] = [];
  const { model, models, fallbacks } = named;
  if (typeof model === "string" && fields.model) ids.push({ id: model, span: fields.model });
  ids.push(...pair(models ?? [], fields.models));
  if (shape.hasFallbacks && fallbacks) {
    // JSON.parse keeps only the last of several fields `model` in one object, but upstream may use another.
    if (fields.fallbackModels.length !== fallbacks.length)
      throw new GatewayError("duplicate_field", { param: "fallbacks" });
    ids.push(
      ...pair(
        fallbacks.map((fallback) => fallback.model),
        fields.fallbackModels,
      ),
    );
  }
  return ids;
}

function pair(ids: readonly string[], spans: readonly Span[]): LocatedId[] {
  const located: LocatedId[] = [];
  for (const [index, span] of spans.entries()) {
    const id = ids[index];
    if (id !== undefined) located.push({ id, span });
  }
  return located;
}

function byStart(a: Edit, b: Edit): number {
  return a.start - b.start;
}

function createMissingModelError(): GatewayError {
  return new GatewayError(
    "missing_required_parameter",
    "The request names no model; set model, a non-empty models, or preset.",
    { param: "model" },
  );
}
