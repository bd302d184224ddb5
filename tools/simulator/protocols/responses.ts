// POST /responses: OpenAI's Responses API.
import { computeCosts, stateCost, stateCostDetails } from "../billing.ts";
import { countReplyChars } from "../content.ts";
import { type Answer, describeInvalidModel, type Endpoint, getCreated } from "../endpoint.ts";
import { formatError } from "../errors.ts";
import {
  type Fields,
  type FunctionTool,
  type ReceivedRequest,
  joinText,
  readReasoning,
  readRequest,
  readSchema,
  toFields,
  toList,
} from "../request.ts";
import { chooseTool } from "../tool-calls.ts";
import { buildResponseEvents, buildResponseFailure } from "./response-events.ts";
import { listItems } from "./response-items.ts";

function readTool(body: Fields, items: readonly Fields[]): FunctionTool | undefined {
  const lastUser = items.findLastIndex(({ role }) => role === "user");
  const hasResult = items.slice(lastUser + 1).some(({ type }) => String(type).endsWith("_call_output"));
  if (hasResult) return undefined;
  const tools = toList(body["tools"]).flatMap((tool) => {
    const { type, name, parameters } = toFields(tool);
    return type === "function" && typeof name === "string" ? [{ name, parameters }] : [];
  });
  return chooseTool(tools, body["tool_choice"]);
}

function read(body: Fields): ReceivedRequest {
  const { input, instructions } = body;
  const items = typeof input === "string" ? [{ role: "user", content: input }] : toList(input).map(toFields);
  const turns = items.map((item) => ({ role: item["role"], text: joinText(item) }));
  const isInput = typeof input === "string" || Array.isArray(input);
  return {
    ...readRequest(body, isInput ? undefined : 'Input required: specify "input"', [
      { role: "system", text: joinText(instructions) },
      ...turns,
    ]),
    tool: readTool(body, items),
    contentSchema: readSchema(toFields(toFields(body["text"])["format"])),
    wantsReasoning: readReasoning(body["reasoning"]),
  };
}

/** The `usage` object after `completionChars` characters of completion, reasoning included. */
function buildUsage({ generation }: Answer, completionChars: number): Fields {
  const { promptTokens } = generation;
  const costs = computeCosts(generation, completionChars);
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: costs.completionTokens,
    output_tokens_details: { reasoning_tokens: costs.reasoningTokens },
    total_tokens: promptTokens + costs.completionTokens,
    ...stateCost(generation, costs),
    ...stateCostDetails(generation, costs, ["input", "output"]),
  };
}

// Fields of the request that the response repeats, with the values for a request without them.
const REPEATED: Fields = {
  frequency_penalty: 0,
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  presence_penalty: 0,
  previous_response_id: null,
  prompt_cache_key: null,
  reasoning: null,
  safety_identifier: null,
  store: false,
  temperature: 1,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: "disabled",
};

/** A response object without output: as it is while the model generates. */
function buildResponse({ generation, body }: Answer): Fields {
  const repeated = Object.entries(REPEATED).map(([name, value]) => [name, body[name] ?? value]);
  return {
    id: generation.id,
    object: "response",
    created_at: getCreated(generation),
    status: "in_progress",
    background: false,
    completed_at: null,
    error: null,
    incomplete_details: null,
    model: generation.model.canonicalSlug,
    output: [],
    ...(Object.fromEntries(repeated) as Fields),
    service_tier: "default",
    usage: null,
  };
}

function complete(answer: Answer): Fields {
  return {
    ...buildResponse(answer),
    status: "completed",
    completed_at: Math.floor(Date.now() / 1000),
    output: listItems(answer).map(({ item }) => item),
    usage: buildUsage(answer, countReplyChars(answer.reply)),
  };
}

/** The endpoint of OpenAI's Responses API. */
export const responses: Endpoint = {
  path: "/responses",
  apiType: "completions",
  idPrefix: "gen",
  formatError,
  describeUnknownModel: describeInvalidModel,
  read,
  buildDocument: (answer) => JSON.stringify(complete(answer)),
  stream: {
    // As recorded.
    comment: ": \n\n",
    buildEvents: (answer) => buildResponseEvents(answer, buildResponse(answer), complete(answer)),
    buildFailure: (answer, sent, status) => {
      const usage = buildUsage(answer, sent.at(-1)?.chars ?? 0);
      return buildResponseFailure(answer, { ...buildResponse(answer), usage }, sent, status);
    },
  },
};
