import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { onRequestAsyncHookHandler } from "fastify";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "application/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};

/**
 * Makes a hook that sends the files of a directory from memory, where each is kept once it has been requested. A file that is
 * read from disk for each response holds a descriptor until its client has taken all of it, so that clients that read
 * nothing could hold every descriptor of the process.
 * @param directory of a few files of a few MB in all. @param prefix of their URLs, with a slash at its end.
 */
export function sendFromMemory(directory: URL, prefix: string): onRequestAsyncHookHandler {
  const names = new Set(readdirSync(directory).filter((name) => TYPES[extname(name)] !== undefined));
  const contents = new Map<string, Promise<Buffer>>();
  return async (request, reply) => {
    const [path = ""] = request.url.split("?", 1);
    const name = path.slice(prefix.length);
    if (!path.startsWith(prefix) || !names.has(name)) return undefined;
    const content = contents.get(name) ?? readFile(new URL(name, directory));
    contents.set(name, content);
    return reply
      .type(TYPES[extname(name)] ?? "")
      .header("cache-control", "public, max-age=3600")
      .send(await content);
  };
}
