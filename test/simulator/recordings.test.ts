import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Json, readEvents, readJson, sendTo } from "../support/model-endpoints.ts";
import { startTestSimulator } from "../support/simulator.ts";

/** Recorded exchanges with OpenRouter. They may be missing. */
const DIRECTORY = fileURLToPath(new URL("../../../shared/recordings", import.meta.url));
const isPresent = existsSync(DIRECTORY);

function readRecording(file: string): string {
  return readFileSync(`${DIRECTORY}/${file}`, "utf8");
}

/** Names of all fields, in order, with the types of their values; a list counts by its first item. */
function describeShape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(describeShape);
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.entries(value).map(([name, field]) => [name, describeShape(field)]);
}

function sortNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortNames);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, field]) => [name, sortNames(field)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => a.localeCompare(b)));
}

async function ask(path: string, request: string): Promise<Response> {
  const { model, ...input } = JSON.parse(request) as Json & { model: string };
  return sendTo(await startTestSimulator(), { path, model, input });
}

const EMBEDDING =
  "ruby_llm/embedding_basic_functionality_openrouter_openai_text-embedding-3-small_can_handle";

test.skipIf(!isPresent).each([
  ["/embeddings", `${EMBEDDING}_a_single_text.0`],
  ["/embeddings", `${EMBEDDING}_multiple_texts.0`],
  ["/embeddings", `${EMBEDDING}_a_single_text_with_custom_di.0`],
  [
    "/rerank",
    "ruby_llm/rerank_reranking_with_openrouter_voyageai_rerank-2_5-lite_orders_documents_by_relevance_and_reports_the_exact_.0",
  ],
])("%s has the fields of recording %s in the same order", async (path, file) => {
  const ours = await readJson(await ask(path, readRecording(`${file}.request.json`)));
  const recorded = JSON.parse(readRecording(`${file}.response.json`)) as Json;
  expect(describeShape(ours)).toEqual(describeShape(recorded));
  expect(ours["model"]).toBe(recorded["model"]);
  expect(ours["provider"]).toBe(recorded["provider"]);
});

test.skipIf(!isPresent)("an unknown embedding model has the recorded error", async () => {
  const file = "rig/embedding_matrix__error_preserves_provider_body.0";
  const response = await ask("/embeddings", readRecording(`${file}.request.json`));
  expect(response.status).toBe(400);
  expect(await readJson(response)).toMatchObject(JSON.parse(readRecording(`${file}.response.json`)) as Json);
});

// The recorder of these sorted the names.
const RESPONSES = "rig/openai_responses_compat__openai_responses";

/** A response's fields with their types, except for the output, which the model chooses. */
function describeResponse({ output, ...fields }: Json): unknown {
  return [describeShape(sortNames(fields)), describeShape(sortNames((output as Json[]).slice(0, 1)))];
}

test.skipIf(!isPresent)("a response has the fields of its recording", async () => {
  const file = `${RESPONSES}_agent_prompt_against_openrouter_completes.0`;
  const ours = await readJson(await ask("/responses", readRecording(`${file}.request.json`)));
  const recorded = JSON.parse(readRecording(`${file}.response.json`)) as Json;
  expect(describeResponse(ours)).toEqual(describeResponse(recorded));
});

test.skipIf(!isPresent)("the events of a response have the fields of their recordings", async () => {
  const file = `${RESPONSES}_stream_against_openrouter_completes.0`;
  const stream = await (await ask("/responses", readRecording(`${file}.request.json`))).text();
  const recorded = readRecording(`${file}.response.sse`);
  expect(stream.startsWith(": \n\ndata: {")).toBe(recorded.startsWith(": \n\ndata: {"));
  const describe = (text: string): Map<unknown, unknown> =>
    new Map(
      readEvents(text).map(({ response, ...event }) => [
        event["type"],
        [describeShape(sortNames(event)), response && describeResponse(response as Json)],
      ]),
    );
  const ours = describe(stream);
  // Its last item is the reasoning of another model, without any text.
  const {
    "response.output_item.done": _,
    "response.output_item.added": __,
    ...rest
  } = Object.fromEntries(describe(recorded)) as Record<string, unknown>;
  for (const [type, shape] of Object.entries(rest)) expect([type, ours.get(type)]).toEqual([type, shape]);
  expect(stream.endsWith("\n\ndata: [DONE]\n\n")).toBe(recorded.trimEnd().endsWith("\n\ndata: [DONE]"));
});
