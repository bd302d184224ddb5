import type { Harness } from "../harness.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";
import { respondJson, respondStream, GENERATION_ID, PLAIN_RESPONSE, STREAM } from "../upstream-responses.ts";

type Headers = Readonly<Record<string, string>>;

interface Forwarded {
  readonly name: string;
  readonly title: string;
  readonly why: string;
  readonly sent: Headers;
}

const FORWARDED: readonly Forwarded[] = [
  {
    name: "attribution",
    title: "headers that identify the application are forwarded",
    why: "OpenRouter uses them for its rankings and for the account's statistics by application",
    sent: {
      "http-referer": "https://app.example.com/",
      "x-title": "Example",
      "x-openrouter-title": "Example",
      "x-openrouter-categories": "cli-agent",
    },
  },
  {
    name: "session",
    title: "headers that name a session or request metadata are forwarded",
    why: "a session keeps a conversation at the provider that has it in its prompt cache",
    sent: {
      "x-session-id": "session-1",
      "x-openrouter-metadata": "enabled",
      "x-anthropic-beta": "interleaved-thinking-2025-05-14",
    },
  },
  {
    name: "cache",
    title: "headers that control OpenRouter's cache are forwarded",
    why: "without these headers, a client that wants a new response gets a cached one, or pays for one that is cached",
    sent: {
      "x-openrouter-cache": "true",
      "x-openrouter-cache-ttl": "600",
      "x-openrouter-cache-clear": "true",
    },
  },
  {
    name: "body-type",
    title: "Content-Type: application/json reaches upstream",
    why: "upstream rejects a body of another type, or does not read it",
    sent: { "content-type": "application/json" },
  },
];

function createForwardCheck({ name, title, why, sent }: Forwarded): Check {
  return {
    id: `headers/${name}`,
    title,
    why,
    expected: "upstream gets the values that the client sent",
    run: async (harness) => {
      const { exchange } = await harness.waitForUpstream(harness.sendChat({ stream: false, headers: sent }));
      const { headers } = exchange.req;
      const wrong = Object.entries(sent).filter(([header, value]) => headers[header] !== value);
      const differences = wrong.map(([header]) => `${header}: ${String(headers[header] ?? "(absent)")}`);
      return toOutcome(wrong.length === 0, wrong.length === 0 ? "all of them" : differences.join("; "));
    },
  };
}

async function checkHeader(
  harness: Harness,
  name: string,
  value: string,
  stream = false,
): Promise<CheckOutcome> {
  harness.respondWith(stream ? respondStream(STREAM) : respondJson([PLAIN_RESPONSE]));
  const { response } = await harness.waitForResponse(harness.sendChat({ stream }));
  const received = response.readHeader(name);
  return toOutcome(received === value, `${name}: ${received ?? "(absent)"}`);
}

const RETURNED: readonly Check[] = [
  {
    id: "headers/json-type",
    title: "Content-Type of a plain response reaches the client",
    why: "openai-node returns a body of another type as a string",
    expected: "content-type: application/json",
    run: (harness) => checkHeader(harness, "content-type", "application/json"),
  },
  {
    id: "headers/stream-type",
    title: "Content-Type of a stream reaches the client",
    why: "clients and browsers read events only from text/event-stream",
    expected: "content-type: text/event-stream",
    run: (harness) => checkHeader(harness, "content-type", "text/event-stream", true),
  },
  {
    id: "headers/generation-id",
    title: "X-Generation-Id of a plain response reaches the client",
    why: "a client can use the id to look up the cost of a request, even of one whose response was aborted",
    expected: `x-generation-id: ${GENERATION_ID}`,
    run: (harness) => checkHeader(harness, "x-generation-id", GENERATION_ID),
  },
  {
    id: "headers/stream-generation-id",
    title: "X-Generation-Id of a stream reaches the client",
    why: "a client can use the id to look up the cost of a request, even of one whose response was aborted",
    expected: `x-generation-id: ${GENERATION_ID}`,
    run: (harness) => checkHeader(harness, "x-generation-id", GENERATION_ID, true),
  },
  {
    id: "headers/provider-name",
    title: "X-Provider-Name reaches the client",
    why: "headers that upstream adds are part of its response",
    expected: "x-provider-name: OpenAI",
    run: (harness) => checkHeader(harness, "x-provider-name", "OpenAI"),
  },
];

/** Headers of the request and of the response that the gateway must forward. */
export const HEADER_CHECKS: readonly Check[] = [...FORWARDED.map(createForwardCheck), ...RETURNED];
