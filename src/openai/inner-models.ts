import { changesModel, fastModelId } from "./fast-model.ts";

/** A model that is asked besides those that `model` and `models` name. */
export interface InnerModel {
  readonly name: string;
  /** Where it is named, or what asks it unnamed. */
  readonly param: string;
}

type Fields = Readonly<Record<string, unknown>>;

const NONE: readonly InnerModel[] = [];
const NO_NAMES: readonly string[] = [];
/** What is asked when it is left open, under a name that stands for it. An advisor is then any model that the first one likes. */
const UNNAMED: ReadonlyMap<unknown, { readonly fields: readonly string[]; readonly name: string }> = new Map([
  ["fusion", { fields: ["analysis_models", "model"], name: "openrouter/fusion" }],
  // As a tool it leaves the last word to the model that answers.
  ["openrouter:fusion", { fields: ["analysis_models"], name: "openrouter/fusion" }],
  ["openrouter:advisor", { fields: ["model"], name: "openrouter/auto" }],
  ["openrouter:image_generation", { fields: ["model"], name: "openai/gpt-5-image" }],
]);

/**
 * Finds the models that a request's plugins and server tools are told to ask, or will ask without being told. Functions of
 * the caller's own are not looked into: a `model` in there is a parameter of theirs.
 * @param request the checked JSON body.
 * @param named the models of `model` and `models` under OpenRouter's names: with `speed`, others serve them.
 * @returns names as they were written: OpenRouter takes no prefix off here.
 */
export function innerModels(
  { plugins, tools, speed }: Fields,
  named: readonly string[] = NO_NAMES,
): readonly InnerModel[] {
  const isFast = changesModel(speed);
  if (!isFast && !Array.isArray(plugins) && !Array.isArray(tools)) return NONE;
  const found: InnerModel[] = isFast ? named.map((id) => ({ name: fastModelId(id), param: "speed" })) : [];
  for (const [index, plugin] of fieldsOfEach(plugins)) {
    if (plugin["enabled"] === false) continue;
    collect(plugin, plugin["id"], `plugins[${index}]`, found);
    collectFromTools(plugin["tools"], `plugins[${index}].tools`, found);
  }
  collectFromTools(tools, "tools", found);
  return found;
}

function collectFromTools(tools: unknown, path: string, found: InnerModel[]): void {
  for (const [index, tool] of fieldsOfEach(tools)) {
    const { type } = tool;
    if (type === "function" || type === undefined) continue;
    const parameters = fieldsOf(tool["parameters"]);
    // OpenAI's own tools have their model beside their type.
    if (typeof tool["model"] === "string")
      found.push({ name: tool["model"], param: `${path}[${index}].model` });
    collect(parameters, type, `${path}[${index}].parameters`, found);
    collectFromTools(parameters["tools"], `${path}[${index}].parameters.tools`, found);
  }
}

function collect(settings: Fields, kind: unknown, path: string, found: InnerModel[]): void {
  const { model, analysis_models: panel } = settings;
  if (typeof model === "string") found.push({ name: model, param: `${path}.model` });
  for (const [index, name] of (Array.isArray(panel) ? panel : []).entries())
    if (typeof name === "string") found.push({ name, param: `${path}.analysis_models[${index}]` });
  const unnamed = UNNAMED.get(kind);
  for (const field of unnamed?.fields ?? [])
    if (unnamed && isOpen(field, settings[field]))
      found.push({ name: unnamed.name, param: `${path}.${field}` });
}

/** What names no model, whatever it is: OpenRouter may make of it what it likes. */
function isOpen(field: string, value: unknown): boolean {
  if (field === "model") return typeof value !== "string";
  return !Array.isArray(value) || value.length === 0 || value.some((name) => typeof name !== "string");
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function fieldsOfEach(value: unknown): [number, Fields][] {
  return Array.isArray(value) ? value.map((item, index) => [index, fieldsOf(item)]) : [];
}
