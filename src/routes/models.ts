import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { allowsModel } from "../keys/model-policy.ts";
import type { Model, ModelCatalog, ModelList } from "../upstream/model-catalog.ts";
import { allowOnly } from "./allow-only.ts";

const URL = "/openai/v1/models";

export interface ModelsOptions {
  readonly admit: onRequestAsyncHookHandler[];
  readonly catalog: ModelCatalog;
  /** How long a caller may take nothing of an answer that waits for it. */
  readonly clientStallTimeoutMs: number;
}

/** `GET /openai/v1/models` and `GET /openai/v1/models/{id}`, where the id may have slashes, escaped or not. */
export function models(app: FastifyInstance, { admit, catalog, clientStallTimeoutMs }: ModelsOptions): void {
  allowOnly(app, URL, ["GET"]);
  allowOnly(app, `${URL}/*`, ["GET"]);
  app.get(URL, { onRequest: admit }, async (request, reply) => {
    const json = listFor(request.caller.key?.models ?? null, await catalog.list());
    // The list is long, and this caller may never read it. Node sets its own time when the answer has left.
    request.raw.socket.setTimeout(clientStallTimeoutMs);
    return reply.type("application/json").send(json);
  });
  app.get(`${URL}/*`, { onRequest: admit }, async (request, reply) => {
    const id = (request.params as { "*": string })["*"];
    const model = await catalog.find(id);
    if (!model || !allowsModel(request.caller.key?.models ?? null, model.id))
      throw new GatewayError("model_not_found", "There is no such model that this key may use.", {
        param: "model",
      });
    return reply.type("application/json").send(JSON.stringify(model));
  });
}

const filtered = new WeakMap<ModelList, Map<string, Buffer>>();
const REMEMBERED = 100;

/** The list, as far as a key may use it. Made once for keys with the same patterns. */
function listFor(allowed: readonly string[] | null, list: ModelList): Buffer {
  if (allowed === null) return list.json;
  const made = filtered.get(list) ?? new Map<string, Buffer>();
  filtered.set(list, made);
  const patterns = allowed.join(" ");
  const known = made.get(patterns);
  if (known) return known;
  const answer = JSON.parse(list.json.toString()) as { data: Model[]; total_count?: number };
  const data = answer.data.filter(({ id }) => allowsModel(allowed, id));
  const count = answer.total_count === undefined ? {} : { total_count: data.length };
  const json = Buffer.from(JSON.stringify({ ...answer, data, ...count }));
  if (made.size >= REMEMBERED) made.clear();
  made.set(patterns, json);
  return json;
}
