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
 * Creates a hook that serves the files of a directory from memory, for wildcard routes such as `/static/*`. Each file is
 * read at its first request. A file streamed from disk holds a descriptor until its client has read the whole response, so
 * clients that do not read could use up every descriptor of the process. The hook ignores routes without a wildcard.
 * @param directory must be small, because every file that is requested stays in memory.
 */
export function createPageFileHook(directory: URL): onRequestAsyncHookHandler {
  const names = new Set(readdirSync(directory).filter((name) => TYPES[extname(name)] !== undefined));
  const contents = new Map<string, Promise<Buffer>>();
  const read = (name: string): Promise<Buffer> => {
    const content = readFile(new URL(name, directory));
    contents.set(name, content);
    // The next request tries again, because the process may only have been short of descriptors.
    content.catch(() => contents.delete(name));
    return content;
  };
  return async (request, reply) => {
    // Use the name that the router has decoded, because one file has many URLs.
    const { "*": name } = request.params as { "*"?: string };
    if (name === undefined || request.is404) return undefined;
    if (!names.has(name)) throw new GatewayError("unknown_url", "The page at /docs has no such file.");
    return reply
      .type(TYPES[extname(name)] ?? "")
      .header("cache-control", "public, max-age=3600")
      .send(await (contents.get(name) ?? read(name)));
  };
}
