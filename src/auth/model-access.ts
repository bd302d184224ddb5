import { GatewayError } from "../errors.ts";
import type { ChatRequest } from "../request/chat-request.ts";
import type { CallerKey } from "./caller-key.ts";
import { allowsModel } from "./model-policy.ts";

const SHOWN = 5;

/**
 * Refuses a request for what its key may not use: every model it names, also for its plugins and tools, and a preset, which
 * may choose another model.
 * @throws GatewayError 403 model_not_allowed.
 */
export function refuseForbiddenModels(
  key: CallerKey | undefined,
  { models, nestedModels = [], preset }: Pick<ChatRequest, "models" | "preset"> & Partial<ChatRequest>,
): void {
  if (!key || key.models === null) return;
  // Without a model, the account's default would be used, whatever that is.
  if (models.length === 0 && preset === undefined)
    throw notAllowed(key.models, "model", "a request without a model");
  for (const model of models) {
    if (!allowsModel(key.models, model)) throw notAllowed(key.models, "model", "this model");
  }
  for (const { name, param } of nestedModels) {
    if (!allowsModel(key.models, name)) throw notAllowed(key.models, param, "this model");
  }
  if (preset !== undefined && !allowsModel(key.models, `@preset/${preset}`))
    throw notAllowed(key.models, "preset", "this preset");
}

function notAllowed(allowed: readonly string[], param: string, what: string): GatewayError {
  const shown = allowed.slice(0, SHOWN).join(", ");
  const more = allowed.length > SHOWN ? ", …" : "";
  return new GatewayError(
    "model_not_allowed",
    `This key may not use ${what}; it may use ${shown}${more}. Ask for one of these, or have the key changed.`,
    { param },
  );
}
