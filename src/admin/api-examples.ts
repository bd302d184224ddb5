import { HOUR_MS } from "../durations.ts";

// Examples for the page at /docs, which a user can execute without edits. Without them, the page would generate examples
// from the schemas: an expiry in 1970, names of random characters and an empty chat.

/** Bodies by operation. `POST /admin/v1/keys` and `POST /admin/v1/groups` create what the other operations use. */
const BODIES: Readonly<Record<string, unknown>> = {
  "post /openai/v1/chat/completions": {
    model: "openai/gpt-4o-mini",
    messages: [{ role: "user", content: "Hello" }],
  },
  "post /openai/v1/completions": { model: "openai/gpt-4o-mini", prompt: "Hello" },
  "post /openai/v1/responses": { model: "openai/gpt-4o-mini", input: "Hello" },
  "post /anthropic/v1/messages": {
    model: "anthropic/claude-haiku-4.5",
    max_tokens: 100,
    messages: [{ role: "user", content: "Hello" }],
  },
  "post /openai/v1/embeddings": { model: "openai/text-embedding-3-small", input: "Hello" },
  "post /openai/v1/rerank": { model: "cohere/rerank-v3.5", query: "Hello", documents: ["Hi", "Bye"] },
  "post /admin/v1/keys": { name: "bob", models: ["google/*", "*:free"] },
  "patch /admin/v1/keys/{key}": { owner: "Bob", limits: { budgets: { day: { limit_usd: 0.45 } } } },
  "post /admin/v1/groups": {
    name: "team-a",
    limits: { budgets: { month: { limit_usd: 100 } }, requests_per_minute: 600 },
  },
  "patch /admin/v1/groups/{group}": { limits: { requests_per_minute: null } },
  "post /admin/v1/keys/{key}/rotate": { grace_ms: HOUR_MS },
};

interface ParameterExample {
  readonly example: string;
  /** Tells the reader when the example works, or how to replace it. */
  readonly note?: string;
}

/** Required parameters by name, or by path and name. */
const PARAMETERS: Readonly<Record<string, ParameterExample>> = {
  key: { example: "bob", note: "The example of `POST /admin/v1/keys` creates the key bob" },
  group: { example: "team-a", note: "The example of `POST /admin/v1/groups` creates the group team-a" },
  request: { example: "latest" },
  author: { example: "openai" },
  slug: { example: "gpt-4o-mini" },
  "/openai/v1/models/{id} id": { example: "openai/gpt-4o-mini" },
  "/openai/v1/generation id": {
    example: "gen-1700000000-replace-this-id",
    note: "Replace the example, which does not exist, by the `id` of a response of `POST /openai/v1/chat/completions`",
  },
};

interface Parameter {
  readonly name?: string;
  readonly in?: string;
  readonly required?: boolean;
  description?: string;
  example?: unknown;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { example?: unknown }>> };
}

/** Adds the examples to the paths of an OpenAPI 3.1 description, in place. */
export function addExamples(paths: object): void {
  for (const [path, item] of Object.entries(paths))
    for (const [method, operation] of Object.entries(item as Readonly<Record<string, Operation>>)) {
      for (const parameter of operation.parameters ?? []) if (parameter.required) addExample(parameter, path);
      const body = operation.requestBody?.content?.["application/json"];
      if (body) body.example = BODIES[`${method} ${path}`];
    }
}

function addExample(parameter: Parameter, path: string): void {
  const { name = "", description = "" } = parameter;
  const { example, note } = PARAMETERS[`${path} ${name}`] ?? PARAMETERS[name] ?? {};
  parameter.example = example;
  if (note !== undefined && !description.includes(note)) parameter.description = `${description}. ${note}`;
}
