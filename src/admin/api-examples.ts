import { HOUR_MS } from "../durations.ts";

// What the page at /docs fills in, so that "Execute" works as it stands: without an example the page makes one up from the
// schema, with an expiry in 1970, names of random characters and an empty chat.

/** Bodies by operation. The key that the first one creates is the one that the others are about. */
const BODIES: Readonly<Record<string, unknown>> = {
  "post /openai/v1/chat/completions": {
    model: "openai/gpt-4o-mini",
    messages: [{ role: "user", content: "Hello" }],
  },
  "post /admin/v1/keys": { name: "bob", models: ["google/*", "*:free"] },
  "patch /admin/v1/keys/{key}": { owner: "Bob" },
  "post /admin/v1/keys/{key}/rotate": { grace_ms: HOUR_MS },
};

/** Required parameters by name. */
const PARAMETERS: Readonly<Record<string, string>> = { key: "bob", id: "openai/gpt-4o-mini" };

interface Parameter {
  readonly name?: string;
  readonly in?: string;
  example?: unknown;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { example?: unknown }>> };
}

/** Adds the examples to the paths of a description (OpenAPI 3.1), in place. */
export function addExamples(paths: object): void {
  for (const [path, item] of Object.entries(paths))
    for (const [method, operation] of Object.entries(item as Readonly<Record<string, Operation>>)) {
      for (const parameter of operation.parameters ?? [])
        if (parameter.in === "path") parameter.example = PARAMETERS[parameter.name ?? ""];
      const body = operation.requestBody?.content?.["application/json"];
      if (body) body.example = BODIES[`${method} ${path}`];
    }
}
