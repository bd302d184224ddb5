import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "application/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};

/**
 * Makes a hook that answers a route of a directory, such as `/static/*`, from memory, where each file is kept once it has been
 * requested. A file that is read from disk for each response holds a descriptor until its client has taken all of it, so that
 * clients that read nothing could hold every descriptor of the process. Routes without a wildcard are left alone.
 * @param directory of a few files of a few MB in all.
 */
export function createPageFileHook(directory: URL): onRequestAsyncHookHandler {
  const names = new Set(readdirSync(directory).filter((name) => TYPES[extname(name)] !== undefined));
  const contents = new Map<string, Promise<Buffer>>();
  const read = (name: string): Promise<Buffer> => {
    const content = readFile(new URL(name, directory));
    contents.set(name, content);
    // The process may have had no descriptor left.
    content.catch(() => contents.delete(name));
    return content;
  };
  return async (request, reply) => {
    // As the router has decoded it: one file has many URLs.
    const { "*": name } = request.params as { "*"?: string };
    if (name === undefined || request.is404) return undefined;
    if (!names.has(name)) throw new GatewayError("unknown_url", "The page at /docs has no such file.");
    return reply
      .type(TYPES[extname(name)] ?? "")
      .header("cache-control", "public, max-age=3600")
      .send(await (contents.get(name) ?? read(name)));
  };
}
