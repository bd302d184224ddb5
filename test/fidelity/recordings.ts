import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
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

/** Bodies of all recorded chat completion requests. They must be forwarded unchanged. */
export const recordedRequests: readonly RequestFixture[] = chats.map(({ file }) => {
  const body = readFileSync(`${DIRECTORY}/${file}.request.json`);
  return { name: file, clientBody: body, upstreamBody: body };
});

/** The responses to `recordedRequests`, in the same order, with status and Content-Type. */
export const recordedResponses: readonly ResponseFixture[] = chats.map(({ file, status, kind }) => {
  const meta = JSON.parse(readFileSync(`${DIRECTORY}/${file}.meta.json`, "utf8")) as Meta;
  const type = Object.entries(meta.response_headers).find(([name]) => name.toLowerCase() === "content-type");
  if (type === undefined) throw new Error(`${file} has no Content-Type`);
  const body = readFileSync(`${DIRECTORY}/${file}.response.${kind}`);
  return { name: file, status, contentType: String(type[1]), body };
});

const PREFIX = "openrouter/";
/** Matches a model id with an author, the form of OpenRouter's ids. Ids of other hosts may have no author. */
const AUTHOR_AND_SLUG = /^[^/:@]+\/[^/:@]+(?:[:@]|$)/;

/** The recorded requests with the optional prefix inserted before their model. */
export const prefixedRequests: readonly RequestFixture[] = recordedRequests.map(
  ({ name, clientBody: bare }) => {
    const text = bare.toString();
    const { model } = JSON.parse(text) as { model: string };
    const prefixedText = Array.from(
      text.matchAll(/"model"\s*:\s*"/g),
      ({ index: at, 0: match }) => text.slice(0, at + match.length) + PREFIX + text.slice(at + match.length),
    ).find((candidate) => (JSON.parse(candidate) as { model: string }).model === PREFIX + model);
    if (prefixedText === undefined) throw new Error(`${name} has no model`);
    const prefixed = Buffer.from(prefixedText);
    return { name, clientBody: prefixed, upstreamBody: AUTHOR_AND_SLUG.test(model) ? bare : prefixed };
  },
);
