import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
import type { ResponseFixture, RequestFixture } from "../fixtures/replay.ts";

/** Where recorded exchanges with OpenRouter and others are, if they are. */
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

/** Every recorded body of a chat completion request; it is to arrive as it is. */
export const recordedRequests: readonly RequestFixture[] = chats.map(({ file }) => {
  const body = readFileSync(`${DIRECTORY}/${file}.request.json`);
  return { name: file, asked: body, sent: body };
});

/** Every recorded answer to one, with its status and its Content-Type. */
export const recordedResponses: readonly ResponseFixture[] = chats.map(({ file, status, kind }) => {
  const meta = JSON.parse(readFileSync(`${DIRECTORY}/${file}.meta.json`, "utf8")) as Meta;
  const type = Object.entries(meta.response_headers).find(([name]) => name.toLowerCase() === "content-type");
  if (type === undefined) throw new Error(`${file} has no Content-Type`);
  const body = readFileSync(`${DIRECTORY}/${file}.response.${kind}`);
  return { name: file, status, contentType: String(type[1]), body };
});

const PREFIX = "openrouter/";
/** What OpenRouter's names of models have and those of other hosts lack: an author. */
const AUTHOR_AND_SLUG = /^[^/:@]+\/[^/:@]+(?:[:@]|$)/;

/** The recorded requests, each with the optional prefix put before its model by changing the text. */
export const prefixedRequests: readonly RequestFixture[] = recordedRequests.map(({ name, asked: bare }) => {
  const text = bare.toString();
  const { model } = JSON.parse(text) as { model: string };
  const asked = Array.from(
    text.matchAll(/"model"\s*:\s*"/g),
    ({ index: at, 0: match }) => text.slice(0, at + match.length) + PREFIX + text.slice(at + match.length),
  ).find((candidate) => (JSON.parse(candidate) as { model: string }).model === PREFIX + model);
  if (asked === undefined) throw new Error(`${name} has no model`);
  const prefixed = Buffer.from(asked);
  return { name, asked: prefixed, sent: AUTHOR_AND_SLUG.test(model) ? bare : prefixed };
});
