// The bytes that every measurement sends: the requests of the load generator and the constant responses of the upstream.

const MODEL = "openai/gpt-4o-mini";
const GENERATION = "gen-1763800000-bEnChMaRkBeNcHmArKbE";
const USAGE = {
  prompt_tokens: 412,
  completion_tokens: 47,
  total_tokens: 459,
  cost: 0.00009,
  is_byok: false,
  prompt_tokens_details: { cached_tokens: 256 },
  completion_tokens_details: { reasoning_tokens: 0 },
};

/** Path of a chat completion, below the base URL of the target. */
export const CHAT_PATH = "/chat/completions";

/** Headers that OpenRouter sends with every response, except Connection and Keep-Alive. */
export const RESPONSE_HEADERS = {
  "access-control-allow-origin": "*",
  "cf-ray": "9a2b3c4d5e6f7a8b-FRA",
  "permissions-policy": 'payment=(self "https://checkout.stripe.com")',
  "referrer-policy": "no-referrer, strict-origin-when-cross-origin",
  server: "cloudflare",
  "x-content-type-options": "nosniff",
  "x-generation-id": GENERATION,
  "x-provider-name": "OpenAI",
  "transfer-encoding": "chunked",
};

/** Builds a chat completion request of about 1 KB, as an SDK sends it. */
export function buildChatRequest(stream: boolean): Buffer {
  const paragraph =
    'The parcel was handed over on Monday, the tracking page has not changed since, and the "express" ' +
    "delivery that was paid for promised Wednesday at the latest; today is Friday.\n";
  return Buffer.from(
    JSON.stringify({
      model: `openrouter/${MODEL}`,
      messages: [
        { role: "system", content: `You answer customers of a parcel service.\n${paragraph}` },
        { role: "user", content: paragraph },
        { role: "assistant", content: "I am sorry to hear that. May I have the number of the parcel?" },
        { role: "user", content: [{ type: "text", text: `It is 4711-0815. ${paragraph}` }] },
      ],
      temperature: 0.7,
      top_p: 1,
      max_tokens: 512,
      user: "customer-4711",
      ...(stream && { stream, stream_options: { include_usage: true } }),
    }),
  );
}

/** A small plain response that begins with keep-alive white space; sent in one write. */
export const PLAIN_RESPONSE: Buffer = Buffer.from(
  `\n         \n${JSON.stringify({
    id: GENERATION,
    object: "chat.completion",
    created: 1_763_800_000,
    model: MODEL,
    provider: "OpenAI",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "It will arrive on Monday.", refusal: null },
        finish_reason: "stop",
        native_finish_reason: "stop",
      },
    ],
    usage: USAGE,
  })}`,
);

/** Number of events of a stream, including comments and `[DONE]`. */
export const STREAM_EVENTS = 50;

/** A streamed response, with one item for each write: a comment, the text, another comment, usage, `[DONE]`. */
export const STREAM_RESPONSE: readonly Buffer[] = formatStream();

function formatStream(): Buffer[] {
  const comment = ": OPENROUTER PROCESSING\n\n";
  const deltas = Array.from({ length: STREAM_EVENTS - 4 }, (_, index) => deltaEvent(` word${index}`));
  const end = [dataEvent({ choices: [], usage: USAGE }), "data: [DONE]\n\n"];
  return [comment, ...deltas, comment, ...end].map((event) => Buffer.from(event));
}

function deltaEvent(content: string): string {
  return dataEvent({ choices: [{ index: 0, delta: { role: "assistant", content }, finish_reason: null }] });
}

function dataEvent(fields: object): string {
  return `data: ${JSON.stringify({
    id: GENERATION,
    object: "chat.completion.chunk",
    created: 1_763_800_000,
    model: MODEL,
    ...fields,
  })}\n\n`;
}
