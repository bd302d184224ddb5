// POST /completions: a text that continues a prompt.
import { countReplyChars, quotePiece, type Reply } from "../content.ts";
import { type Answer, describeInvalidModel, type Endpoint, getCreated } from "../endpoint.ts";
import { formatError } from "../errors.ts";
import { COMMENT } from "../pieces.ts";
import {
  type Fields,
  type ReceivedRequest,
  joinText,
  readReasoning,
  readRequest,
  readSchema,
  toFields,
} from "../request.ts";
import { buildChunks, buildFailedChunks, buildUsage, type ChunkFormat, type Delta } from "./chunks.ts";

function read(body: Fields): ReceivedRequest {
  const { prompt } = body;
  const isPrompt = typeof prompt === "string" || Array.isArray(prompt);
  const missing = isPrompt ? undefined : 'Input required: specify "prompt"';
  return {
    ...readRequest(body, missing, [{ role: "user", text: joinText(prompt) }]),
    contentSchema: readSchema(toFields(body["response_format"])),
    wantsReasoning: readReasoning(body["reasoning"]),
  };
}

const FORMAT: ChunkFormat = { object: "text_completion", emptyChoice: `"text":""` };

function buildDeltas({ pieces, padding, reasoning }: Reply): Delta[] {
  const deltas: Delta[] = [];
  let chars = 0;
  for (const text of reasoning) {
    chars += text.length;
    deltas.push([`"text":"","reasoning":${JSON.stringify(text)}`, chars]);
  }
  let previous: string | undefined;
  let fields = "";
  for (const text of pieces) {
    if (text !== previous) fields = `"text":${quotePiece(text, padding)}`;
    previous = text;
    chars += text.length + padding.length;
    deltas.push([fields, chars]);
  }
  return deltas;
}

function buildDocument({ generation, reply }: Answer): string {
  const { id, model, finishReason, nativeFinishReason } = generation;
  return JSON.stringify({
    id,
    object: "text_completion",
    created: getCreated(generation),
    model: model.canonicalSlug,
    provider: model.provider,
    system_fingerprint: null,
    choices: [
      {
        index: 0,
        text: reply.text,
        ...(reply.reasoning.length > 0 && { reasoning: reply.reasoning.join("") }),
        logprobs: null,
        finish_reason: finishReason,
        native_finish_reason: nativeFinishReason,
      },
    ],
    usage: buildUsage(generation, countReplyChars(reply)),
  });
}

/** The endpoint that continues a text. It calls no tools. */
export const completions: Endpoint = {
  path: "/completions",
  apiType: "completions",
  idPrefix: "gen",
  formatError,
  describeUnknownModel: describeInvalidModel,
  read,
  buildDocument,
  stream: {
    comment: COMMENT,
    buildEvents: (answer) => buildChunks(answer, buildDeltas(answer.reply), FORMAT),
    buildFailure: (answer, sent, status) =>
      buildFailedChunks(answer, sent.at(-1)?.chars ?? 0, status, FORMAT),
  },
};
