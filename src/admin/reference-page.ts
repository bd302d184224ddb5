import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { FastifyInstance, FastifyReply } from "fastify";
import { rejectOtherMethods } from "../endpoints/method-not-allowed.ts";
import { GatewayError } from "../errors.ts";

/** The page loads all its files from the gateway, and contains inline styles. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

const OWN_FILES = new URL("reference-page/", import.meta.url);
/** The files of the library that renders the description. */
const LIBRARY_FILES = new URL("static/", import.meta.resolve("@fastify/swagger-ui"));

const FILES: Readonly<Record<string, URL>> = {
  "icon.svg": OWN_FILES,
  "operations.css": OWN_FILES,
  "reference.css": OWN_FILES,
  "reference.js": OWN_FILES,
  "swagger-ui.css": LIBRARY_FILES,
  "swagger-ui-bundle.js": LIBRARY_FILES,
};

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "application/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Registers `GET /docs`, a page that shows the description at `/openapi.json`, and its files. No URL requires a key. */
export function registerReferencePage(app: FastifyInstance): void {
  rejectOtherMethods(app, "/docs", ["GET"]);
  const page = readFileSync(new URL("page.html", OWN_FILES), "utf8");
  const pageWithoutSlash = page.replaceAll('="./', '="./docs/').replaceAll('="../', '="./');
  app.get("/docs", (request, reply) => {
    const [path = ""] = request.url.split("?", 1);
    return reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", CONTENT_SECURITY_POLICY)
      .send(path.endsWith("/") ? page : pageWithoutSlash);
  });
  const sendFile = createFileSender();
  app.get<{ Params: { "*": string } }>("/docs/static/*", (request, reply) =>
    sendFile(request.params["*"], reply),
  );
}

/**
 * Creates a function that sends a file of the page from memory. Each file is read at its first request. A file streamed
 * from disk holds a descriptor until its client has read the whole response, so clients that do not read could use up every
 * descriptor of the process.
 */
function createFileSender(): (name: string, reply: FastifyReply) => Promise<FastifyReply> {
  const contents = new Map<string, Promise<Buffer>>();
  const read = (name: string, directory: URL): Promise<Buffer> => {
    const content = readFile(new URL(name, directory));
    contents.set(name, content);
    // The next request tries again, because the process may only have been short of descriptors.
    content.catch(() => contents.delete(name));
    return content;
  };
  return async (name, reply) => {
    const directory = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (!directory) throw new GatewayError("unknown_url", "The page at /docs has no such file.");
    return reply
      .type(TYPES[extname(name)] ?? "")
      .header("cache-control", "public, max-age=3600")
      .header("content-security-policy", CONTENT_SECURITY_POLICY)
      .send(await (contents.get(name) ?? read(name, directory)));
  };
}
