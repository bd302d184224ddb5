import { expect } from "vitest";
import type { Simulator } from "../../tools/simulator/simulator.ts";
import { API_HEADERS, getJson } from "./simulator.ts";
import { waitFor } from "./wait.ts";

/** An endpoint of OpenRouter's, with a small request. */
export interface EndpointExample {
  readonly path: string;
  readonly model: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly streams: boolean;
  /** the type of the record that `GET /generation` returns */
  readonly apiType: string;
}

const TEXT = "Grüße, 世界 🎉";
const MESSAGES = [{ role: "user", content: TEXT }];
const GENERATES = { model: "openai/gpt-4o-mini", streams: true, apiType: "completions" };

export const ENDPOINTS: readonly EndpointExample[] = [
  { ...GENERATES, path: "/chat/completions", input: { messages: MESSAGES } },
  { ...GENERATES, path: "/completions", input: { prompt: TEXT } },
  { ...GENERATES, path: "/responses", input: { input: TEXT } },
  { ...GENERATES, path: "/messages", input: { messages: MESSAGES, max_tokens: 100 } },
  {
    path: "/embeddings",
    model: "openai/text-embedding-3-small",
    input: { input: [TEXT, "Rubin"] },
    streams: false,
    apiType: "embeddings",
  },
  {
    path: "/rerank",
    model: "voyageai/rerank-2.5-lite",
    input: { query: "what is ruby", documents: ["Paris is a city", "Ruby is a language"] },
    streams: false,
    apiType: "rerank",
  },
];

export const STREAMING = ENDPOINTS.filter(({ streams }) => streams);

export type Json = Readonly<Record<string, unknown>>;

/** Sends a request to an endpoint; `fields` add to the example's. */
export function sendTo(
  simulator: Simulator,
  { path, model, input }: Pick<EndpointExample, "path" | "model" | "input">,
  fields: object = {},
): Promise<Response> {
  const body = JSON.stringify({ model, ...input, ...fields });
  return waitFor(
    fetch(simulator.baseUrl + path, { method: "POST", headers: API_HEADERS, body }),
    `POST ${path}`,
  );
}

/** Reads a body as JSON. */
export async function readJson(response: Response): Promise<Json> {
  return (await waitFor(response.json(), "JSON")) as Json;
}

/** Returns the JSON of all `data:` lines of a stream. */
export function readEvents(stream: string): Json[] {
  const lines = stream.split(/\r?\n/).filter((line) => line.startsWith("data: {"));
  return lines.map((line) => JSON.parse(line.slice(6)) as Json);
}

interface Billing {
  readonly id: string;
  readonly usage: Json;
}

/** Finds the generation id and the last usage that a response states, whatever its endpoint. */
export function readBilling(documents: readonly Json[]): Billing {
  const inner = documents.flatMap((document) => [document, document["response"], document["message"]]);
  const objects = inner.filter((value) => typeof value === "object" && value !== null) as Json[];
  const id = objects.map((object) => object["id"]).find((value) => typeof value === "string");
  const usage = objects.map((object) => object["usage"]).findLast(Boolean);
  return { id: String(id), usage: (usage ?? {}) as Json };
}

/** Expects that a generation was billed once, as much as its usage states. @returns its record */
export async function expectBilled(simulator: Simulator, { id, usage }: Billing): Promise<Json> {
  const nanodollars = Math.round(Number(usage["cost"]) * 1e9);
  expect(nanodollars).toBeGreaterThan(0);
  expect(simulator.findBilledNanodollars(id)).toBe(nanodollars);
  expect(simulator.readStats().billedNanodollars).toBe(nanodollars);
  const { status, json } = await getJson(simulator, `/generation?id=${id}`);
  expect(status).toBe(200);
  return (json as { data: Json }).data;
}
