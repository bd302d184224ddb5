import { GatewayError } from "../errors.ts";
import { selectsFastModel, toFastModelId } from "./fast-model.ts";
import { MODEL_NAME_MAX_CHARACTERS, MODELS_MAX } from "./model-limits.ts";
import { type JsonObject, readFields, readItems } from "../json-values.ts";

/** A model that a request may call in addition to `model` and `models`. */
export interface NestedModel {
  readonly name: string;
  /** Path of the field that names the model, or that would name it if it were set. */
  readonly param: string;
}

const NONE: readonly NestedModel[] = [];
const NO_NAMES: readonly string[] = [];
/**
 * Plugins and tools for which OpenRouter chooses a model if the request does not set one of `fields`. The model policy must
 * allow `name` for each field that is not set. For an advisor, `name` is `openrouter/auto`, because the main model may choose
 * any model as its advisor.
 */
const UNNAMED: ReadonlyMap<unknown, { readonly fields: readonly string[]; readonly name: string }> = new Map([
  ["fusion", { fields: ["analysis_models", "model"], name: "openrouter/fusion" }],
  // As a tool, fusion has no `model`: the model of the request writes the final response.
  ["openrouter:fusion", { fields: ["analysis_models"], name: "openrouter/fusion" }],
  ["openrouter:advisor", { fields: ["model"], name: "openrouter/auto" }],
  ["openrouter:image_generation", { fields: ["model"], name: "openai/gpt-5-image" }],
  ["image_generation", { fields: ["model"], name: "openai/gpt-5-image" }],
]);

/** Path from the request to a plugin, tool or input item, as a linked list. It is formatted only when a model is found. */
interface Place {
  readonly parent: Place | undefined;
  /** Name of the array that contains the plugin, tool or input item. */
  readonly list: string;
  readonly index: number;
}

/**
 * Finds the models that the plugins and server tools of a request call. The request names these models, or OpenRouter chooses
 * them. Tools of type `function` are skipped, because a `model` in them is a parameter of the client's function.
 * @param request the validated JSON body.
 * @param named the ids in `model` and `models`, without the optional prefix. If `speed` selects faster models, the fast
 * variants of these ids are added.
 * @returns names as the client wrote them. The gateway removes no prefix from nested models.
 * @throws GatewayError 400 invalid_value if plugins and tools name more than 64 models, or if a name has more than 256
 * characters.
 */
export function findNestedModels(
  { plugins, tools, input, speed }: JsonObject,
  named: readonly string[] = NO_NAMES,
): readonly NestedModel[] {
  const isFast = selectsFastModel(speed);
  if (!isFast && ![plugins, tools, input].some(Array.isArray)) return NONE;
  const found: NestedModel[] = [];
  const listed = readItems(plugins);
  for (let index = 0; index < listed.length; index++) {
    const plugin = readFields(listed[index]);
    const { id, model, analysis_models: panel } = plugin;
    if (plugin["enabled"] === false) continue;
    if (model === undefined && panel === undefined && plugin["tools"] === undefined && !UNNAMED.has(id))
      continue;
    const place = { parent: undefined, list: "plugins", index };
    collectFromSettings({ settings: plugin, kind: id, place, below: "" }, found);
    collectFromTools(plugin["tools"], { parent: place, list: "tools" }, found);
  }
  collectFromTools(tools, { parent: undefined, list: "tools" }, found);
  collectFromInput(input, found);
  return isFast ? [...named.map((id) => ({ name: toFastModelId(id), param: "speed" })), ...found] : found;
}

/** Collects from the input of the Responses API, in which items of type `additional_tools` add tools. */
function collectFromInput(input: unknown, found: NestedModel[]): void {
  const items = readItems(input);
  for (let index = 0; index < items.length; index++) {
    const { tools } = readFields(items[index]);
    if (tools === undefined) continue;
    const parent = { parent: undefined, list: "input", index };
    collectFromTools(tools, { parent, list: "tools" }, found);
  }
}

function collectFromTools(tools: unknown, at: Omit<Place, "index">, found: NestedModel[]): void {
  const listed = readItems(tools);
  for (let index = 0; index < listed.length; index++) {
    const tool = readFields(listed[index]);
    const { type, model, parameters, tools: grouped } = tool;
    if (type === "function" || type === undefined) continue;
    if ((model ?? parameters ?? grouped) === undefined && !UNNAMED.has(type)) continue;
    const settings = readFields(parameters);
    const place = { ...at, index };
    // OpenRouter's tools have their settings in `parameters`, and those of OpenAI and Anthropic have them next to `type`.
    const isOpenRouters = typeof type === "string" && type.startsWith("openrouter:");
    collectFromSettings({ settings: tool, kind: isOpenRouters ? undefined : type, place, below: "" }, found);
    const kind = isOpenRouters ? type : undefined;
    collectFromSettings({ settings, kind, place, below: ".parameters" }, found);
    // A tool of type `namespace` groups other tools.
    collectFromTools(grouped, { parent: place, list: "tools" }, found);
    collectFromTools(settings["tools"], { parent: place, list: "parameters.tools" }, found);
  }
}

interface Settings {
  readonly settings: JsonObject;
  /** Id of a plugin, or type of a tool. */
  readonly kind: unknown;
  readonly place: Place;
  /** Path of the settings below `place`; empty for a plugin. */
  readonly below: string;
}

function collectFromSettings({ settings, kind, place, below }: Settings, found: NestedModel[]): void {
  const { model, analysis_models: panel } = settings;
  if (typeof model === "string") addModel(found, model, () => `${formatPath(place)}${below}.model`);
  const names = readItems(panel);
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    if (typeof name === "string")
      addModel(found, name, () => `${formatPath(place)}${below}.analysis_models[${index}]`);
  }
  const unnamed = UNNAMED.get(kind);
  for (const field of unnamed?.fields ?? [])
    if (unnamed && isOpen(field, settings[field]))
      addModel(found, unnamed.name, () => `${formatPath(place)}${below}.${field}`);
}

function addModel(found: NestedModel[], name: string, createParam: () => string): void {
  const param = createParam();
  if (name.length > MODEL_NAME_MAX_CHARACTERS)
    throw new GatewayError(
      "invalid_value",
      `${param} must have at most ${MODEL_NAME_MAX_CHARACTERS} characters.`,
      {
        param,
      },
    );
  if (found.length === MODELS_MAX)
    throw new GatewayError("invalid_value", `plugins and tools may name at most ${MODELS_MAX} models.`, {
      param,
    });
  found.push({ name, param });
}

function formatPath({ parent, list, index }: Place): string {
  return `${parent ? `${formatPath(parent)}.` : ""}${list}[${index}]`;
}

/** Whether a field lets OpenRouter choose the model. An invalid value counts as not set, because its effect is unknown. */
function isOpen(field: string, value: unknown): boolean {
  if (field === "model") return typeof value !== "string";
  return !Array.isArray(value) || value.length === 0 || value.some((name) => typeof name !== "string");
}
