// POST /embeddings.
import { computeCosts, countTokens, stateCost, stateCostDetails } from "../billing.ts";
import type { Answer, Endpoint } from "../endpoint.ts";
import { formatError } from "../errors.ts";
import { type Fields, type ReceivedRequest, joinText, readRequest } from "../request.ts";

/** Lists the inputs to embed: each is a text, a list of tokens, or an object with content. */
function listInputs(input: unknown): unknown[] {
  if (typeof input === "string") return input === "" ? [] : [input];
  if (!Array.isArray(input)) return [];
  return typeof input[0] === "number" ? [input] : (input as unknown[]);
}

function isTokens(input: unknown): input is number[] {
  return Array.isArray(input) && typeof input[0] === "number";
}

function read(body: Fields): ReceivedRequest {
  const inputs = listInputs(body["input"]);
  const missing = inputs.length > 0 ? undefined : 'Input required: specify "input"';
  const tokens = inputs.map((input) =>
    isTokens(input) ? input.length : countTokens(joinText(input).length),
  );
  return {
    ...readRequest(body, missing, []),
    streamed: false,
    promptTokens: tokens.reduce((sum, count) => sum + count, 0),
  };
}

const DIMENSIONS = 1536;
const MOST_DIMENSIONS = 65_536;

function readDimensions({ dimensions }: Fields): number {
  return Number.isInteger(dimensions) && Number(dimensions) > 0
    ? Math.min(Number(dimensions), MOST_DIMENSIONS)
    : DIMENSIONS;
}

// Vectors of all sizes are parts of one vector, in different rotations: megabytes of numbers must not take seconds.
const VECTOR = Float32Array.from({ length: MOST_DIMENSIONS }, (_, i) => Math.sin(i * i + i) / 16);
const NUMBERS: string[] = [];

function formatNumbers(from: number, to: number): string[] {
  for (let i = NUMBERS.length; i < to; i++) NUMBERS.push(String(VECTOR[i]));
  return NUMBERS.slice(from, to);
}

/** The same input has the same vector. */
function chooseRotation(input: unknown, dimensions: number): number {
  const text = isTokens(input) ? input.join(" ") : joinText(input);
  let hash = text.length;
  for (let i = 0; i < Math.min(text.length, 64); i++) hash = (hash * 31 + text.charCodeAt(i)) % 1_000_003;
  return hash % dimensions;
}

function formatVector(input: unknown, { dimensions, isBase64 }: VectorFormat): string {
  const at = chooseRotation(input, dimensions);
  if (!isBase64) return `[${[...formatNumbers(at, dimensions), ...formatNumbers(0, at)].join(",")}]`;
  const values = new Float32Array(dimensions);
  values.set(VECTOR.subarray(at, dimensions));
  values.set(VECTOR.subarray(0, at), dimensions - at);
  return `"${Buffer.from(values.buffer).toString("base64")}"`;
}

interface VectorFormat {
  readonly dimensions: number;
  readonly isBase64: boolean;
}

function buildDocument({ generation, body, plan }: Answer): string {
  const { id, model, promptTokens } = generation;
  const format = { dimensions: readDimensions(body), isBase64: body["encoding_format"] === "base64" };
  const embedded = listInputs(body["input"]).map(
    (input, index) => `{"object":"embedding","embedding":${formatVector(input, format)},"index":${index}}`,
  );
  const costs = computeCosts(generation, 0);
  const usage = JSON.stringify({
    prompt_tokens: promptTokens,
    total_tokens: promptTokens,
    ...stateCost(generation, costs),
    ...stateCostDetails(generation, costs),
  });
  const vectors = `"data":[${embedded.join(",")}]`;
  const named = `"model":${JSON.stringify(model.providerSlug)}`;
  const provider = `"provider":${JSON.stringify(model.provider)}`;
  const fields =
    plan.common.usageFirst > 0
      ? [`"usage":${usage}`, `"id":"${id}"`, vectors, named, provider]
      : [vectors, named, `"usage":${usage}`, provider, `"id":"${id}"`];
  return `{"object":"list",${fields.join(",")}}`;
}

/** The endpoint that turns texts into vectors. */
export const embeddings: Endpoint = {
  path: "/embeddings",
  apiType: "embeddings",
  idPrefix: "gen-emb",
  formatError,
  describeUnknownModel: (model) => `Model ${model} does not exist`,
  read,
  buildDocument,
  stream: undefined,
};
