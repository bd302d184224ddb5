// Constant responses in OpenRouter's format, and functions that send them.
import { type HttpExchange, waitForNextTurn, sleep } from "../simulator/http-exchange.ts";

/** Sends upstream's response to one request. */
export type Responder = (exchange: HttpExchange) => void | Promise<void>;

/** White space that OpenRouter sends before the JSON of a plain response to keep the connection alive. */
export const KEEP_ALIVE = "\n         \n";
export const COMMENT = ": OPENROUTER PROCESSING\n\n";
export const DONE = "data: [DONE]\n\n";
export const GENERATION_ID = "gen-1767225600-V3r1fyV3r1fyV3r1fy0A";

const NAMES = `"id":"${GENERATION_ID}","provider":"OpenAI","model":"openai/gpt-4o-mini"`;
const USAGE = `"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"cost":0.00006,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0},"cost_details":{"upstream_inference_cost":null},"completion_tokens_details":{"reasoning_tokens":0}}`;
const CONTENT = "Grüße, 世界 🎉 — ¡olé!";

/** A plain response whose spelling every common JSON serialiser produces, so that serialising it again does not change it. */
export const PLAIN_RESPONSE = `{${NAMES},"object":"chat.completion","created":1767225600,"choices":[{"logprobs":null,"finish_reason":"stop","native_finish_reason":"completed","index":0,"message":{"role":"assistant","content":"${CONTENT}","refusal":null,"reasoning":null}}],${USAGE}}`;

/** One event of a stream. @param more JSON text of further fields; it begins with a comma. */
export function formatChunk(choices: string, more = ""): string {
  return `data: {${NAMES},"object":"chat.completion.chunk","created":1767225600,"choices":[${choices}]${more}}\n\n`;
}

/** One event of a stream. @param text JSON text of the content, without quotes. */
export function formatContentChunk(text: string): string {
  return formatChunk(
    `{"index":0,"delta":{"role":"assistant","content":"${text}"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}`,
  );
}

const LAST_CHOICE = `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"completed","logprobs":null}`;

/** The last events of a stream. */
export const STREAM_END: readonly string[] = [
  formatChunk(LAST_CHOICE),
  formatChunk(LAST_CHOICE, `,${USAGE}`),
  DONE,
];
/** The last events of a stream whose usage event has no choices. */
export const EMPTY_CHOICES_END: readonly string[] = [
  formatChunk(LAST_CHOICE),
  formatChunk("", `,${USAGE}`),
  DONE,
];

/** A stream of three pieces of text, without comments. */
export const STREAM: readonly string[] = [
  formatContentChunk("Grüße, "),
  formatContentChunk("世界 "),
  formatContentChunk("🎉"),
  ...STREAM_END,
];

const JSON_HEAD = ["Content-Type", "application/json", "X-Generation-Id", GENERATION_ID];
const STREAM_HEAD = [
  ["Content-Type", "text/event-stream"],
  ["Cache-Control", "no-cache"],
  ["X-Generation-Id", GENERATION_ID],
].flat();

/** Sends the head of a plain response at once. */
export function beginJson(exchange: HttpExchange, more: readonly string[] = []): void {
  exchange.writeHead(200, [...JSON_HEAD, "X-Provider-Name", "OpenAI", ...more]);
  exchange.res.flushHeaders();
}

/** Sends the head of a stream at once. */
export function beginStream(exchange: HttpExchange): void {
  exchange.writeHead(200, [...STREAM_HEAD, "X-Provider-Name", "OpenAI"]);
  exchange.res.flushHeaders();
}

/** Writes each part as a separate chunk and packet, with `gapMs` between them. */
async function writeParts(
  exchange: HttpExchange,
  parts: readonly (string | Buffer)[],
  gapMs = 0,
): Promise<void> {
  for (const [i, part] of parts.entries()) {
    if (i > 0) await (gapMs > 0 ? sleep(gapMs) : waitForNextTurn());
    exchange.write(part);
  }
}

/** Responds with a plain 200 in these parts. */
export function respondJson(parts: readonly (string | Buffer)[], gapMs = 0): Responder {
  return async (exchange) => {
    beginJson(exchange);
    await writeParts(exchange, parts, gapMs);
    exchange.end();
  };
}

/** Responds with a stream in these parts. */
export function respondStream(parts: readonly (string | Buffer)[], gapMs = 0): Responder {
  return async (exchange) => {
    beginStream(exchange);
    await writeParts(exchange, parts, gapMs);
    exchange.end();
  };
}

/** Responds with an error. `headers` alternates names and values. */
export function respondError(status: number, body: string, headers: readonly string[] = []): Responder {
  return (exchange) => exchange.sendJson(status, body, headers);
}
