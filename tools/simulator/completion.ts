// Builds the texts of responses in OpenRouter's format. JSON that repeats within a response is serialised only once,
// because the simulator must not be the bottleneck of a benchmark.
import { type Generation, buildUsage } from "./billing.ts";
import { type Reply, joinPieces } from "./content.ts";

/** A unit of a response body: an event, a comment, keep-alive white space or a JSON document. */
export interface Piece {
  readonly text: string;
  /** false for comments: faults do not count them, and there is no gap before them */
  readonly isData: boolean;
  /** completion characters that have been sent when this piece has been sent */
  readonly chars: number;
}

/** Variations of a stream. */
interface StreamStyle {
  /** whether the stream ends with `[DONE]` */
  readonly done: boolean;
  readonly emptyChoices: boolean;
  /** request body to repeat in a debug chunk, which precedes all other chunks; undefined: no such chunk */
  readonly echo: unknown;
}

const COMMENT = ": OPENROUTER PROCESSING\n\n";
/** The last bytes of every stream. */
export const DONE = "data: [DONE]\n\n";
const KEEP_ALIVE = "\n         \n";

/** The part of a chunk before its `choices`. */
export function formatChunkHead(generation: Generation): string {
  const { id, model, startedAtMs } = generation;
  const names = `"model":${JSON.stringify(model.canonicalSlug)},"provider":${JSON.stringify(model.provider)}`;
  const created = Math.floor(startedAtMs / 1000);
  return `data: {"id":"${id}","object":"chat.completion.chunk","created":${created},${names},`;
}

function formatFinish({ finishReason, nativeFinishReason }: Generation): string {
  return `"finish_reason":"${finishReason}","native_finish_reason":"${nativeFinishReason}"`;
}

/** The deltas of a reply, each with the number of completion characters sent up to its end. */
function buildDeltas(reply: Reply): [delta: string, chars: number][] {
  const deltas: [string, number][] = [];
  let chars = 0;
  for (const text of reply.reasoning) {
    chars += text.length;
    const quoted = JSON.stringify(text);
    const details = `[{"type":"reasoning.text","text":${quoted},"format":"unknown","index":0}]`;
    deltas.push([
      `"content":"","role":"assistant","reasoning":${quoted},"reasoning_details":${details}`,
      chars,
    ]);
  }
  const { toolCall, padding } = reply;
  if (toolCall !== undefined) {
    const named = `"function":{"name":${JSON.stringify(toolCall.name)},"arguments":""}`;
    const call = `{"index":0,"id":"${toolCall.id}","type":"function",${named}}`;
    chars += toolCall.name.length;
    deltas.push([`"content":null,"role":"assistant","tool_calls":[${call}]`, chars]);
  }
  let previous: string | undefined;
  let delta = "";
  for (const text of reply.pieces) {
    chars += text.length + padding.length;
    // A flood repeats the same piece thousands of times. They share one string to save memory.
    if (text !== previous) {
      const quoted = `${JSON.stringify(text).slice(0, -1)}${padding}"`;
      const calls = `"tool_calls":[{"index":0,"function":{"arguments":${quoted}}}]`;
      delta = toolCall
        ? `"content":null,"role":"assistant",${calls}`
        : `"content":${quoted},"role":"assistant"`;
      previous = text;
    }
    deltas.push([delta, chars]);
  }
  return deltas;
}

/** Puts one comment before the first data and spreads the others evenly between the rest. */
function spreadComments(data: readonly Piece[], comments: number): Piece[] {
  const pieces: Piece[] = [];
  let placed = 0;
  for (const [i, piece] of data.entries()) {
    const chars = data[i - 1]?.chars ?? 0;
    for (const due = Math.ceil((comments * (i + 1)) / data.length); placed < due; placed++) {
      pieces.push({ text: COMMENT, isData: false, chars });
    }
    pieces.push(piece);
  }
  return pieces;
}

/** The events of a streamed response, from the first comment to `[DONE]`. */
export function buildStream(
  generation: Generation,
  reply: Reply,
  comments: number,
  style: StreamStyle,
): Piece[] {
  const head = formatChunkHead(generation);
  const data: Piece[] = [];
  if (style.echo !== undefined) {
    const debug = JSON.stringify({ echo_upstream_body: style.echo });
    data.push({ text: `${head}"choices":[],"debug":${debug}}\n\n`, isData: true, chars: 0 });
  }
  const open = `${head}"choices":[{"index":0,"delta":{`;
  const running = `},"finish_reason":null,"native_finish_reason":null}]}\n\n`;
  let previous = "";
  let text = "";
  for (const [delta, chars] of buildDeltas(reply)) {
    if (delta !== previous) text = open + delta + running;
    previous = delta;
    data.push({ text, isData: true, chars });
  }
  const chars = data.at(-1)?.chars ?? 0;
  const last = `{"index":0,"delta":{"content":"","role":"assistant"},${formatFinish(generation)}}`;
  const usage = `"service_tier":null,"choices":[${style.emptyChoices ? "" : last}],"usage":${JSON.stringify(buildUsage(generation, chars))}`;
  data.push({ text: `${head}"choices":[${last}]}\n\n`, isData: true, chars });
  data.push({ text: `${head}${usage}}\n\n`, isData: true, chars });
  if (style.done) data.push({ text: DONE, isData: true, chars });
  return spreadComments(data, comments);
}

/** How much keep-alive whitespace precedes a JSON document: `count` pieces of `units` units each. */
interface KeepAlive {
  readonly count: number;
  readonly units: number;
}

/** A JSON document after its keep-alive whitespace. */
export function prependKeepAlive(document: string, chars: number, { count, units }: KeepAlive): Piece[] {
  const text = KEEP_ALIVE.repeat(units);
  const whitespace = Array.from({ length: count }, () => ({ text, isData: true, chars: 0 }));
  return [...whitespace, { text: document, isData: true, chars }];
}

/** An unstreamed response: keep-alive whitespace, then the JSON. */
export function buildDocument(generation: Generation, reply: Reply, keepAlive: KeepAlive): Piece[] {
  const { id, model, startedAtMs, finishReason, nativeFinishReason } = generation;
  const { toolCall } = reply;
  const text = joinPieces(reply);
  const reasoning = reply.reasoning.join("");
  const call = toolCall && { index: 0, id: toolCall.id, type: "function" };
  const message = {
    role: "assistant",
    content: call ? null : text,
    refusal: null,
    reasoning: reasoning === "" ? null : reasoning,
    ...(reasoning !== "" && {
      reasoning_details: [{ type: "reasoning.text", text: reasoning, format: "unknown", index: 0 }],
    }),
    ...(call && { tool_calls: [{ ...call, function: { name: toolCall?.name, arguments: text } }] }),
  };
  const chars = reasoning.length + (toolCall?.name.length ?? 0) + text.length;
  const body = {
    id,
    object: "chat.completion",
    created: Math.floor(startedAtMs / 1000),
    model: model.canonicalSlug,
    provider: model.provider,
    system_fingerprint: null,
    service_tier: null,
    choices: [
      {
        index: 0,
        logprobs: null,
        finish_reason: finishReason,
        native_finish_reason: nativeFinishReason,
        message,
      },
    ],
    usage: buildUsage(generation, chars),
  };
  return prependKeepAlive(JSON.stringify(body), chars, keepAlive);
}
