import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { rejectOtherMethods } from "../endpoints/method-not-allowed.ts";
import { GatewayError } from "../errors.ts";
import { BuiltFiles, PAGE_FILE } from "./built-files.ts";

/** `npm ci` builds the files from those in `page/`. */
const DIRECTORY = new URL("dist/", import.meta.url);
const URLS = ["/dashboard", "/dashboard/*"];
const METHODS = ["GET", "HEAD"];
/** The pages of one key and of one request. Names of keys can contain a dot. */
const RECORD = /^(?:keys|requests)\/[^/]+$/;

/**
 * The page may load only files of this origin, and only the API of this origin. It has no inline script and no inline style.
 * No other page can show it in a frame.
 */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/**
 * Serves the dashboard at `/dashboard`. Its files contain no data and need no key: everything that the page shows comes from
 * the admin API, to which it sends the session cookie. URLs below `/dashboard` without a file get the page, which has a view
 * for each.
 */
export function registerDashboard(app: FastifyInstance, logger: Logger): void {
  const files = new BuiltFiles(DIRECTORY);
  if (!files.has(PAGE_FILE)) {
    logger.warn("dashboard: not built, run npm run build:dashboard");
    return;
  }
  for (const url of URLS) {
    rejectOtherMethods(app, url, METHODS);
    app.route({ method: METHODS, url, handler: (request, reply) => sendFile(files, request, reply) });
  }
}

async function sendFile(
  files: BuiltFiles,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const name = (request.params as { "*"?: string })["*"] ?? "";
  const isFile = name.includes(".") && !RECORD.test(name);
  if (isFile && !files.has(name)) throw new GatewayError("unknown_url", "The dashboard has no such file.");
  const { type, content, compressed } = await files.read(isFile ? name : PAGE_FILE);
  const isCompressed = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  // The names of all files except the page contain a digest of their content.
  const cacheControl = isFile && name !== PAGE_FILE ? "public, max-age=31536000, immutable" : "no-cache";
  reply.headers({ ...HEADERS, "cache-control": cacheControl, vary: "accept-encoding" }).type(type);
  if (isCompressed) reply.header("content-encoding", "gzip");
  return reply.send(isCompressed ? compressed : content);
}
