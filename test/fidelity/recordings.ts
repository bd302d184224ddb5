import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { CHAT_PATH } from "../support/chat-request.ts";
import type { ResponseFixture, RequestFixture } from "../fixtures/replay.ts";

/** Directory of recorded requests and responses of OpenRouter and others. It may be missing. */
export const DIRECTORY: string =
  process.env["RECORDINGS_DIR"] ?? fileURLToPath(new URL("../../../shared/recordings", import.meta.url));

interface Entry {
  readonly file: string;
  readonly path: string;
  readonly status: number;
  readonly kind: string;
}

interface Meta {
  readonly response_headers: Readonly<Record<string, string | readonly string[]>>;
}

const index = `${DIRECTORY}/INDEX.json`;
const entries = existsSync(index) ? (JSON.parse(readFileSync(index, "utf8")) as Entry[]) : [];
const chats = entries.filter(({ path }) => path.endsWith("/chat/completions"));
/** The other endpoints whose recordings the gateway relays. It has no audio. */
const others = entries.filter(({ path }) => /\/(embeddings|responses|rerank)$/.test(path));

function readRequest({ file, path }: Entry): RequestFixture {
  const body = readFileSync(`${DIRECTORY}/${file}.request.json`);
  return { name: file, clientBody: body, upstreamBody: body, path: path.replace(/^\/api\/v1/, "/openai/v1") };
}

function readResponse({ file, status, kind }: Entry): ResponseFixture {
  const meta = JSON.parse(readFileSync(`${DIRECTORY}/${file}.meta.json`, "utf8")) as Meta;
  const type = Object.entries(meta.response_headers).find(([name]) => name.toLowerCase() === "content-type");
  if (type === undefined) throw new Error(`${file} has no Content-Type`);
  const body = readFileSync(`${DIRECTORY}/${file}.response.${kind}`);
  return { name: file, status, contentType: String(type[1]), body };
}

/** Bodies of all recorded chat completion requests. They must be forwarded unchanged. */
export const recordedRequests: readonly RequestFixture[] = chats.map((entry) => ({
  ...readRequest(entry),
  path: CHAT_PATH,
}));

/** The responses to `recordedRequests`, in the same order, with status and Content-Type. */
export const recordedResponses: readonly ResponseFixture[] = chats.map(readResponse);

/** A recorded response of another endpoint, with its request. */
export interface RecordedExchange extends ResponseFixture {
  readonly request: RequestFixture;
  /** The name of the endpoint in the ledger. */
  readonly endpoint: string;
}

/** Recorded exchanges of the endpoints for embeddings, responses and rerankings. */
export const recordedExchanges: readonly RecordedExchange[] = others.map((entry) => ({
  ...readResponse(entry),
  request: readRequest(entry),
  endpoint: entry.path.replace(/^\/api\/v1\//, ""),
}));

/** A request as a client of OpenAI's or Anthropic's API sent it. Secrets in its headers are replaced. */
export interface ClientRequest {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

function readClientRequest(file: string): ClientRequest {
  const path = `${DIRECTORY}/clients/${file}`;
  const { method, url, headers } = JSON.parse(readFileSync(path, "utf8")) as Omit<ClientRequest, "body">;
  const bodyPath = path.replace(/meta\.json$/, "request.json");
  const body = existsSync(bodyPath) ? readFileSync(bodyPath) : Buffer.alloc(0);
  return { name: file.replace(/\.meta\.json$/, ""), method, url, headers, body };
}

/** Every recorded request of Claude Code, Codex, Copilot and the SDKs. */
export const clientRequests: readonly ClientRequest[] = existsSync(`${DIRECTORY}/clients`)
  ? readdirSync(`${DIRECTORY}/clients`)
      .filter((file) => file.endsWith(".meta.json"))
      .map(readClientRequest)
  : [];

const PREFIX = "openrouter/";
/** Matches a model id with an author, the form of OpenRouter's ids. Ids of other hosts may have no author. */
const AUTHOR_AND_SLUG = /^[^/:@]+\/[^/:@]+(?:[:@]|$)/;

/** Inserts the optional prefix before the model of a request that is forwarded unchanged. */
export function addPrefix({ name, clientBody: bare, path }: RequestFixture): RequestFixture {
  const text = bare.toString();
  const { model } = JSON.parse(text) as { model: string };
  const prefixedText = Array.from(
    text.matchAll(/"model"\s*:\s*"/g),
    ({ index: at, 0: match }) => text.slice(0, at + match.length) + PREFIX + text.slice(at + match.length),
  ).find((candidate) => (JSON.parse(candidate) as { model: string }).model === PREFIX + model);
  if (prefixedText === undefined) throw new Error(`${name} has no model`);
  const prefixed = Buffer.from(prefixedText);
  const upstreamBody = AUTHOR_AND_SLUG.test(model) ? bare : prefixed;
  return { name, clientBody: prefixed, upstreamBody, ...(path !== undefined && { path }) };
}

/** The recorded chat completion requests with the optional prefix. */
export const prefixedRequests: readonly RequestFixture[] = recordedRequests.map(addPrefix);
