// Builds the streams of chat completions and completions. JSON that repeats within a response is serialised only once,
// because the simulator must not be the bottleneck of a benchmark.
import { computeCosts, type Generation, stateCost, stateCostDetails } from "../billing.ts";
import { type Answer, getCreated } from "../endpoint.ts";
import { buildError } from "../errors.ts";
import { type Piece, buildDone, buildEvent } from "../pieces.ts";
import { toFields } from "../request.ts";

/** The differences between the chunks of endpoints. */
export interface ChunkFormat {
  readonly object: string;
  /** the fields of a choice that has no content */
  readonly emptyChoice: string;
}

/** The fields of a choice, as the inner part of a JSON object, with the number of completion characters sent up to its end. */
export type Delta = readonly [fields: string, chars: number];

/** The part of a chunk before its `choices`. */
function formatHead(generation: Generation, { object }: ChunkFormat): string {
  const { id, model } = generation;
  const names = `"model":${JSON.stringify(model.canonicalSlug)},"provider":${JSON.stringify(model.provider)}`;
  return `{"id":"${id}","object":"${object}","created":${getCreated(generation)},${names},`;
}

const UNFINISHED = `"finish_reason":null,"native_finish_reason":null`;

function formatFinish({ finishReason, nativeFinishReason }: Generation): string {
  return `"finish_reason":"${finishReason}","native_finish_reason":"${nativeFinishReason}"`;
}

/** The `usage` object after `completionChars` characters of completion, reasoning included. */
export function buildUsage(generation: Generation, completionChars: number): Record<string, unknown> {
  const { promptTokens } = generation;
  const costs = computeCosts(generation, completionChars);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: costs.completionTokens,
    total_tokens: promptTokens + costs.completionTokens,
    ...stateCost(generation, costs),
    prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 0, audio_tokens: 0, video_tokens: 0 },
    ...stateCostDetails(generation, costs),
    completion_tokens_details: { reasoning_tokens: costs.reasoningTokens, image_tokens: 0, audio_tokens: 0 },
  };
}

/** The request body to repeat in a debug chunk, which precedes all other chunks; undefined: no such chunk. */
function findEcho({ plan, body }: Answer): unknown {
  const { debug } = body;
  return plan.name === "debug" || toFields(debug)["echo_upstream_body"] === true ? body : undefined;
}

/** The events of a whole stream: a chunk for each delta, one with the finish reason, one with the usage, and `[DONE]`. */
export function buildChunks(answer: Answer, deltas: readonly Delta[], format: ChunkFormat): Piece[] {
  const { generation, plan } = answer;
  const head = formatHead(generation, format);
  const data: Piece[] = [];
  const echo = findEcho(answer);
  if (echo !== undefined) {
    const debug = JSON.stringify({ echo_upstream_body: echo });
    data.push(buildEvent(`${head}"choices":[],"debug":${debug}}`, 0));
  }
  let previous: string | undefined;
  let text = "";
  for (const [delta, chars] of deltas) {
    // A flood repeats the same delta thousands of times. They share one string to save memory.
    if (delta !== previous)
      ({ text } = buildEvent(`${head}"choices":[{"index":0,${delta},${UNFINISHED}}]}`, 0));
    previous = delta;
    data.push({ text, isData: true, chars });
  }
  const chars = data.at(-1)?.chars ?? 0;
  const last = `{"index":0,${format.emptyChoice},${formatFinish(generation)}}`;
  const usage = JSON.stringify(buildUsage(generation, chars));
  const choices = plan.name === "empty-choices" ? "" : last;
  data.push(
    buildEvent(`${head}"choices":[${last}]}`, chars),
    buildEvent(`${head}"service_tier":null,"choices":[${choices}],"usage":${usage}}`, chars),
    buildDone(chars),
  );
  return data;
}

/** The end of a stream that fails: a chunk with `error` and the usage so far, then `[DONE]`. */
export function buildFailedChunks(
  { generation }: Answer,
  chars: number,
  status: number,
  format: ChunkFormat,
): Piece[] {
  const error = JSON.stringify(buildError(status));
  const choice = `{"index":0,${format.emptyChoice},${UNFINISHED},"logprobs":null}`;
  const usage = JSON.stringify(buildUsage(generation, chars));
  const chunk = `${formatHead(generation, format)}"error":${error},"choices":[${choice}],"usage":${usage}}`;
  return [buildEvent(chunk, chars), buildDone(chars)];
}
