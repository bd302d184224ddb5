import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { billGreedily } from "./greedy-biller.ts";
import { PLAIN_ENDPOINT, toListedEndpoint } from "./priced-requests.ts";
import type { Endpoint, Json } from "./reference-biller.ts";

/** A bill of the fake. */
export interface GreedyBill {
  readonly path: string;
  readonly nanodollars: number;
}

/** A fake of OpenRouter that bills each request as dearly as a provider could. */
export interface GreedyOpenRouter {
  readonly baseUrl: string;
  readonly bills: readonly GreedyBill[];
  /** The sum of all bills, in nanodollars. */
  readonly billed: number;
  /** Costs that the fake adds to each bill, as a web search would. */
  surcharge: number;
}

const TEXT: Endpoint = {
  ...PLAIN_ENDPOINT,
  tag: "prov",
  cacheWrite: 190,
  longCacheWrite: 300,
  reasoning: 700,
  long: { from: 4_000, prompt: 300, completion: 900 },
  supportsReasoning: true,
};
const dearer = (tag: string, factor: number): Endpoint => ({
  ...TEXT,
  tag,
  prompt: TEXT.prompt * factor,
  completion: TEXT.completion * factor,
  cacheWrite: TEXT.cacheWrite * factor,
  longCacheWrite: 300 * factor,
  reasoning: TEXT.reasoning * factor,
  long: { from: 4_000, prompt: 300 * factor, completion: 900 * factor },
});
const INPUT: Endpoint = {
  ...TEXT,
  completion: 0,
  reasoning: 0,
  cacheRead: 0,
  cacheWrite: 0,
  longCacheWrite: 0,
};

/** Endpoints by model. */
const MODELS: ReadonlyMap<string, { readonly output: string; readonly endpoints: readonly Endpoint[] }> =
  new Map([
    ["a/chat", { output: "text", endpoints: [TEXT, dearer("prov/priority", 2), dearer("other", 1.2)] }],
    ["a/chat-fast", { output: "text", endpoints: [dearer("prov", 6)] }],
    ["a/dear", { output: "text", endpoints: [dearer("prov", 30)] }],
    ["a/embed", { output: "embeddings", endpoints: [{ ...INPUT, long: { ...INPUT.long, from: 1e9 } }] }],
    [
      "a/rank",
      { output: "rerank", endpoints: [{ ...INPUT, request: 2_000_000, long: { ...INPUT.long, from: 1e9 } }] },
    ],
  ]);

const NAMES: readonly string[] = ["model", "models", "fallbacks"];

function listModels(request: Json): string[] {
  return NAMES.flatMap((name) => request[name] ?? [])
    .map((one) => (typeof one === "string" ? one : (one as { model: string }).model))
    .map((name) => name.split(":", 1)[0] ?? "");
}

/** Lists the endpoints that may serve a request. A service tier has its price, whatever `provider.max_price` allows. */
function findEndpoints(model: string, request: Json): { request: Json; endpoints: readonly Endpoint[] } {
  const isFast = request["speed"] === "fast" && MODELS.has(`${model}-fast`);
  const { endpoints = [] } = MODELS.get(isFast ? `${model}-fast` : model) ?? {};
  const tier = endpoints.filter(({ tag }) => tag.endsWith("/priority"));
  if (request["service_tier"] !== "priority" || tier.length === 0) return { request, endpoints };
  return { request: { ...request, provider: {} }, endpoints: tier };
}

function billRequest(path: string, request: Json): number {
  return Math.max(
    ...listModels(request).map((model) => {
      const found = findEndpoints(model, request);
      return found.endpoints.length === 0 ? 0 : billGreedily(path, found.request, found.endpoints);
    }),
  );
}

function listEntries(): Json[] {
  return [...MODELS].map(([id, { output, endpoints }]) => {
    const [first] = endpoints.map(toListedEndpoint);
    const architecture = { input_modalities: ["text"], output_modalities: [output] };
    return { ...first, id, canonical_slug: id, name: id, created: 1, architecture, top_provider: first };
  });
}

function findList(url: URL): unknown {
  if (url.pathname === "/api/v1/models") {
    const wanted = url.searchParams.get("output_modalities") ?? "text";
    return listEntries().filter(({ id }) => wanted === "all" || MODELS.get(String(id))?.output === wanted);
  }
  const [, id = ""] = /^\/api\/v1\/models\/(.+)\/endpoints$/.exec(url.pathname) ?? [];
  const model = MODELS.get(id);
  return model && { id, endpoints: model.endpoints.map(toListedEndpoint) };
}

async function readBody(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString()) as Json;
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: object = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

/** Starts the fake on a free port. It stops when the test ends. */
export async function startGreedyOpenRouter(): Promise<GreedyOpenRouter> {
  const bills: GreedyBill[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://upstream");
    const found = request.method === "GET" ? findList(url) : undefined;
    if (found !== undefined) return sendJson(response, 200, { data: found });
    if (request.method === "GET")
      return sendJson(response, 404, { error: { code: 404, message: "Not found" } });
    return void generate(url.pathname.replace("/api/v1/", ""), request, response);
  });
  const generate = async (
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const highest = billRequest(path, await readBody(request));
    if (highest === 0)
      return sendJson(response, 404, { error: { code: 404, message: "No endpoints found" } });
    const nanodollars = highest + fake.surcharge;
    bills.push({ path, nanodollars });
    const id = `gen-${1_760_000_000 + bills.length}-greedy`;
    const usage = { prompt_tokens: 1, input_tokens: 1, output_tokens: 1, cost: nanodollars / 1e9 };
    sendJson(response, 200, { id, model: "a/chat", provider: "Prov", usage }, { "x-generation-id": id });
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const fake: GreedyOpenRouter = {
    baseUrl: `http://127.0.0.1:${port}/api/v1`,
    bills,
    get billed() {
      return bills.reduce((sum, { nanodollars }) => sum + nanodollars, 0);
    },
    surcharge: 0,
  };
  return fake;
}
