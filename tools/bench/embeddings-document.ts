import type { FastifyReply, FastifyRequest } from "fastify";
import { RequestContext } from "../../src/http/request-context.ts";
import { COMPLETION_FORMAT } from "../../src/relay/response-format.ts";
import { ResponseInspector } from "../../src/relay/response-inspector.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";

const BYTES = 5_000_000;
const DIMENSIONS = 1_536;
/** The recorded answers have no header with the generation id, so the gateway also searches the body for it. */
const HEAD = readResponseHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
const FACTS = {
  model: "text-embedding-3-small",
  usage: { prompt_tokens: 7, total_tokens: 7, cost: 1.4e-7, is_byok: false },
  provider: "OpenAI",
  id: "gen-emb-1787150070-o0rsA0WVJRMlQB41n9uP",
};

/** The forms in which embeddings are sent. The SDKs of OpenAI ask for base64. */
export const DOCUMENT_TYPES = ["float", "base64"] as const;
/** The places of usage and id in a document. OpenRouter's recorded answers have them last. */
export const DOCUMENT_PLACES = ["last", "first"] as const;

/** Creates an embeddings answer of 5 MB with the fields of the recorded ones. */
export function createDocument(
  type: (typeof DOCUMENT_TYPES)[number],
  place: (typeof DOCUMENT_PLACES)[number],
): Buffer {
  const vector = Float32Array.from({ length: DIMENSIONS }, (_, at) => Math.sin(at) / 20);
  const embedding = type === "float" ? [...vector] : Buffer.from(vector.buffer).toString("base64");
  const item = { object: "embedding", index: 0, embedding };
  const length = Math.ceil(BYTES / JSON.stringify(item).length);
  const data = Array.from({ length }, (_, index) => ({ ...item, index }));
  return Buffer.from(
    JSON.stringify(place === "last" ? { object: "list", data, ...FACTS } : { ...FACTS, data }),
  );
}

/** Cuts a document into chunks, each in its own memory as undici delivers them. */
export function cutDocument(body: Buffer, chunkBytes: number): Buffer[] {
  return Array.from({ length: Math.ceil(body.length / chunkBytes) }, (_, index) =>
    Buffer.from(body.subarray(index * chunkBytes, (index + 1) * chunkBytes)),
  );
}

/** Reads the usage as the gateway does. @throws if the cost or the id is not found. */
export function readUsage(chunks: readonly Buffer[]): void {
  const request = { id: "r-1", method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
  const context = new RequestContext(request, { raw: {} } as FastifyReply, () => {});
  const inspector = new ResponseInspector(COMPLETION_FORMAT);
  inspector.onHead(HEAD, context);
  for (const chunk of chunks) inspector.push(chunk);
  context.isResponseComplete = true;
  inspector.finish(context);
  if (context.usage?.costUsd !== FACTS.usage.cost || context.generationId !== FACTS.id)
    throw new Error("the usage of the document was not found");
}
