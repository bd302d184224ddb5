import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
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
    const { json } = await catalog.list();
    // The list is long, and this caller may never read it. Node sets its own time when the answer has left.
    request.raw.socket.setTimeout(clientStallTimeoutMs);
    return reply.type("application/json").send(json);
  });
  app.get(`${URL}/*`, { onRequest: admit }, async (request, reply) => {
    const id = (request.params as { "*": string })["*"];
    const model = await catalog.find(id);
    if (!model)
      throw new GatewayError("model_not_found", "OpenRouter lists no such model.", { param: "model" });
    return reply.type("application/json").send(JSON.stringify(model));
  });
}
