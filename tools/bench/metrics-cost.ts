// Compares the CPU time that metrics add to a small request with that of JSON.parse and the schema check of the same request.
// Metrics add the record of the request, the counters of decisions of rate limits and budgets, and the stop of the stopwatch.
// The model and the provider are new strings for each request, as they are when they come from a body. The results are ratios.
// No sockets: their CPU time is more than ten times as long.
import type { FastifyReply, FastifyRequest } from "fastify";
import { Registry } from "prom-client";
import { BudgetDecisions } from "../../src/budgets/budget-decisions.ts";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { RequestContext } from "../../src/http/request-context.ts";
import type { JsonObject } from "../../src/json-values.ts";
import { LimitDecisions } from "../../src/limits/limit-decisions.ts";
import { formatMetrics } from "../../src/metrics/exposition.ts";
import { RequestMetrics } from "../../src/metrics/request-metrics.ts";
import { checkSchema } from "../../src/request/check-schema.ts";
import { NO_ALIASES, resolveModelId } from "../../src/request/model-aliases.ts";
import { indexModels, type ModelIndex } from "../../src/upstream/model-index.ts";

const ROUNDS = 15;
/** Requests per measurement, because many kernels count CPU time in ticks of 4 ms. */
const REQUESTS = 200_000;
/** Maximum CPU time, as a multiple of JSON.parse and the schema check. */
const BUDGET = 1 / 4;
/** Number of requests with texts of their own. Together they fill the CPU cache, as the requests of a busy gateway do. */
const TRAFFIC_SIZE = 8_192;
const MODEL_IDS = Array.from({ length: 50 }, (_, index) => `author-${index % 12}/model-${index}-instruct`);
const PROVIDERS = [
  "OpenAI",
  "Anthropic",
  "Google Vertex",
  "Google AI Studio",
  "Azure",
  "Amazon Bedrock",
  "DeepInfra",
  "Together",
  "Groq",
  "Fireworks",
];
/** Number of providers that serve one model. */
const PROVIDERS_PER_MODEL = 4;
/** Number of models that requests of one key name. */
const MODELS_PER_KEY = 6;
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

/** The texts of one request, as bytes of its body and of its response. */
interface Texts {
  readonly model: Buffer;
  readonly provider: Buffer;
  /** The cached key contains its name, so the name is not a new string for each request. */
  readonly key: string;
}

/**
 * Creates the texts of many requests. Each key uses a few models, and each model has a few providers. They are as popular as
 * words are by Zipf's law: the second is used half as often as the first, the third a third as often.
 */
function createTraffic(): Texts[] {
  return Array.from({ length: TRAFFIC_SIZE }, () => {
    const key = chooseRank(KEYS.length);
    const model = (key * 2 + chooseRank(MODELS_PER_KEY)) % MODEL_IDS.length;
    const provider = (model * 3 + chooseRank(PROVIDERS_PER_MODEL)) % PROVIDERS.length;
    return {
      model: Buffer.from(MODEL_IDS[model] as string),
      provider: Buffer.from(PROVIDERS[provider] as string),
      key: KEYS[key] as string,
    };
  });
}

/** Returns a random index below `count`, with a probability proportional to 1 / (index + 1). */
function chooseRank(count: number): number {
  const weights = Array.from({ length: count }, (_, index) => 1 / (index + 1));
  let left = Math.random() * weights.reduce((sum, weight) => sum + weight);
  return Math.max(
    0,
    weights.findIndex((weight) => (left -= weight) <= 0),
  );
}

const traffic = createTraffic();

/** Sets the texts of a request: new strings, of which the gateway itself has looked up the model in the aliases. */
function setTexts(context: RequestContext, index: number): void {
  const { model, provider, key } = traffic[index % TRAFFIC_SIZE] as Texts;
  context.forwardedModel = resolveModelId(model.toString("latin1"), NO_ALIASES);
  context.provider = provider.toString("latin1");
  context.keyName = key;
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

/** Counts the decisions about a request of a key with limits on requests and tokens, and with a budget. */
function countDecisions(limits: LimitDecisions, budgets: BudgetDecisions): void {
  limits.add("memory", true);
  limits.add("memory", true);
  budgets.admitted++;
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
  const limits = new LimitDecisions();
  const budgets = new BudgetDecisions();
  const found: { recordNs: number; parseNs: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    // The difference of two measurements: the texts must be as new to the CPU cache as those of a real request.
    const textsNs = measureNs((index) => setTexts(context, index));
    const bothNs = measureNs((index) => {
      setTexts(context, index);
      countDecisions(limits, budgets);
      context.stopwatch.stop();
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
