import type { FastifyInstance, onRequestHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { type BodyLimits, BodyReader, checkDeclaredLength } from "./read-body.ts";
import { toMessageText } from "../bounded-text.ts";

/** `application/json`, parameters allowed; what follows the type must be a parameter (CVE-2026-3419). */
const JSON_TYPE = /^application\/json[ \t]*(?:;|$)/i;
/** How much of a header value an error message repeats. */
const SHOWN_MAX_CHARS = 100;
const CHARSET_NAME = /^charset\*?$/i;
const UTF8 = /^(?:utf-?8|"utf-?8")$/i;

/** Gives handlers the body as the bytes that came, and accepts no other kind of body. */
export function keepBodiesRaw(app: FastifyInstance, limits: BodyLimits): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", (request, payload, done) => {
    const refusal = checkDeclaredLength(request, limits);
    if (refusal) done(refusal);
    else new BodyReader(request, payload, limits, done).start();
  });
  app.addHook("preParsing", (request, reply, _payload, done) => {
    request.context.stopwatch.pause();
    // Node would say "go on" before anyone has looked at the request: see continueWhenAccepted().
    const waits =
      request.headers.expect?.toLowerCase() === "100-continue" && request.raw.httpVersion === "1.1";
    if (waits && !checkDeclaredLength(request, limits)) reply.raw.writeContinue();
    done();
  });
}

/**
 * Lets a caller that waits for `100 Continue` send its body only when authorisation and limits have let it in. Without
 * this, Node answers 100 by itself and a refused upload of many megabytes arrives anyway.
 */
export function continueWhenAccepted(app: FastifyInstance): void {
  app.server.on("checkContinue", (request, response) => app.server.emit("request", request, response));
  // Any other expectation may be ignored (RFC 9110, section 10.1.1); Node's own 417 has neither a body nor an id.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
}

/** Refuses, before the body is read, one that is not plain UTF-8 JSON. */
export const requireJson: onRequestHookHandler = (request, _reply, done) => {
  const type = request.headers["content-type"] ?? "";
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (!JSON_TYPE.test(type) || !isUtf8(type)) {
    done(createMediaTypeError(type));
  } else if (encoding !== "identity") {
    done(
      new GatewayError(
        "unsupported_content_encoding",
        `Send the body uncompressed, without Content-Encoding; it came as ${toMessageText(encoding, SHOWN_MAX_CHARS)}.`,
      ),
    );
  } else done();
};

/** Whether a media type names UTF-8 or no charset. Two charsets are none: upstream may take the other one (RFC 9110, 5.6.6). */
function isUtf8(type: string): boolean {
  if (!type.includes(";")) return true;
  const charsets = type
    .split(";")
    .map((parameter) => parameter.split("="))
    .filter(([name = ""]) => CHARSET_NAME.test(name.trim()))
    .map(([, ...value]) => value.join("=").trim());
  return charsets.length <= 1 && charsets.every((charset) => UTF8.test(charset));
}

/** The error for a body of another type. @param type the Content-Type that came; empty if none did. */
export function createMediaTypeError(type: string): GatewayError {
  const came = type === "" ? "without a Content-Type" : `as ${toMessageText(type, SHOWN_MAX_CHARS)}`;
  return new GatewayError(
    "unsupported_media_type",
    `Send the body as Content-Type: application/json, in UTF-8; it came ${came}.`,
  );
}
