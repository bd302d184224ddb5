// Compares the CPU time that metrics add to a small request with that of JSON.parse and the schema check of the same request.
// The model and the provider are new strings for each request, as they are when they come from a body. The results are ratios.
// No sockets: their CPU time is more than ten times as long.
import type { FastifyReply, FastifyRequest } from "fastify";
import { Registry } from "prom-client";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { RequestContext } from "../../src/http/request-context.ts";
import type { JsonObject } from "../../src/json-values.ts";
import { formatMetrics } from "../../src/metrics/exposition.ts";
import { RequestMetrics } from "../../src/metrics/request-metrics.ts";
import { checkSchema } from "../../src/request/check-schema.ts";
import { indexModels, type ModelIndex } from "../../src/upstream/model-index.ts";

const ROUNDS = 15;
/** Requests per measurement, because many kernels count CPU time in ticks of 4 ms. */
const REQUESTS = 200_000;
/** Maximum CPU time, as a multiple of JSON.parse and the schema check. */
const BUDGET = 1 / 4;
const MODEL_IDS = Array.from({ length: 20 }, (_, index) => `author-${index % 5}/model-${index}-instruct`);
const MODELS = MODEL_IDS.map((id) => Buffer.from(id));
const PROVIDERS = ["OpenAI", "Anthropic", "Google AI Studio", "Azure", "DeepInfra", "Together", "Groq"].map(
  (name) => Buffer.from(name),
);
const KEYS = Array.from({ length: 20 }, (_, index) => `team-${index}`);

const BODY = Buffer.from(
  JSON.stringify({
    model: "openai/gpt-4o-mini",
    messages: [
      { role: "system", content: "You are a helpful assistant." },
      { role: "user", content: "What is the capital of France? Answer in one word." },
    ],
    max_tokens: 200,
  }),
);
const chat = RELAYED_ENDPOINTS.find(({ path }) => path === "chat/completions");
if (!chat) throw new Error("there is no endpoint for chat completions");
const { schema } = chat.request;
const route = `${chat.basePaths[0]}/${chat.path}`;

/** Sets the texts of a request. A copy of a text has no cached hash, unlike the name of a key, which the cached key contains. */
function setTexts(context: RequestContext, index: number): void {
  context.forwardedModel = copy(MODELS[(index * 7) % MODELS.length] as Buffer);
  context.provider = copy(PROVIDERS[index % PROVIDERS.length] as Buffer);
  context.keyName = KEYS[index % KEYS.length];
}

function copy(text: Buffer): string {
  return text.toString("latin1");
}

/** Creates the context of a request whose response was complete and stated its cost. */
function createContext(): RequestContext {
  const request = { id: "bench", method: "POST", routeOptions: { url: route } } as FastifyRequest;
  const context = new RequestContext(request, { raw: {} } as FastifyReply, () => {});
  context.stopwatch.stop();
  return Object.assign(context, {
    bytesIn: BODY.length,
    bytesOut: 900,
    status: 200,
    upstreamStatus: 200,
    wasSent: true,
    isResponseComplete: true,
    outcome: "complete",
    firstByteAt: context.startedAt + 800,
    endedAt: context.startedAt + 1_900,
    usage: {
      tokens: {
        prompt_tokens: 31,
        completion_tokens: 2,
        cached_tokens: 0,
        cache_write_tokens: 0,
        reasoning_tokens: 0,
        prompt_audio_tokens: 0,
      },
      costUsd: 0.000_005_85,
      isByok: false,
      upstreamInferenceUsd: undefined,
    },
  });
}

/** @returns CPU time per request, in ns. */
function measureNs(work: (index: number) => void): number {
  const before = process.threadCpuUsage();
  for (let index = 0; index < REQUESTS; index++) work(index);
  const { user, system } = process.threadCpuUsage(before);
  return ((user + system) * 1_000) / REQUESTS;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Measures one setting of METRICS_KEY_LABEL. @returns the ratio. */
async function measure(hasKeyLabel: boolean): Promise<number> {
  const registry = new Registry();
  const metrics = new RequestMetrics(registry, hasKeyLabel);
  const models = MODEL_IDS.map((id) => ({ id }));
  const list = indexModels(models) as ModelIndex;
  metrics.followModels({ listAll: () => Promise.resolve(list) });
  await Promise.resolve();
  metrics.stop();
  const context = createContext();
  const found: { recordNs: number; parseNs: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    // The difference of two measurements: the texts must be as new to the CPU cache as those of a real request.
    const textsNs = measureNs((index) => setTexts(context, index));
    const bothNs = measureNs((index) => {
      setTexts(context, index);
      metrics.record(context);
    });
    const recordNs = bothNs - textsNs;
    const parseNs = measureNs(() => checkSchema(schema, JSON.parse(BODY.toString()) as JsonObject));
    // The first round compiles the code.
    if (round > 0) found.push({ recordNs, parseNs });
  }
  const ratio = median(found.map(({ recordNs, parseNs }) => recordNs / parseNs));
  const text = await formatMetrics(registry);
  const { millisecondsPerScrape, lines } = await measureScrape(registry, text);
  process.stdout.write(
    `${hasKeyLabel ? "with" : "without"} the key label: parse and check ${median(found.map(({ parseNs }) => parseNs)).toFixed(0)} ns, ` +
      `metrics ${median(found.map(({ recordNs }) => recordNs)).toFixed(0)} ns (ratio ${ratio.toFixed(2)}); ` +
      `a scrape of ${lines} series takes ${millisecondsPerScrape.toFixed(1)} ms of CPU time\n`,
  );
  return ratio;
}

async function measureScrape(registry: Registry, text: Buffer) {
  const scrapes = 20;
  const before = process.threadCpuUsage();
  for (let count = 0; count < scrapes; count++) await formatMetrics(registry);
  const { user, system } = process.threadCpuUsage(before);
  const lines = text
    .toString()
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#")).length;
  return { millisecondsPerScrape: (user + system) / 1_000 / scrapes, lines };
}

const ratios = [await measure(false), await measure(true)];
process.exit(Math.max(...ratios) <= BUDGET ? 0 : 1);
