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

/** Required parameters by name. */
const PARAMETERS: Readonly<Record<string, string>> = {
  key: "bob",
  group: "team-a",
  request: "latest",
  id: "openai/gpt-4o-mini",
  author: "openai",
  slug: "gpt-4o-mini",
};

interface Parameter {
  readonly name?: string;
  readonly in?: string;
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
      for (const parameter of operation.parameters ?? [])
        if (parameter.in === "path") parameter.example = PARAMETERS[parameter.name ?? ""];
      const body = operation.requestBody?.content?.["application/json"];
      if (body) body.example = BODIES[`${method} ${path}`];
    }
}
