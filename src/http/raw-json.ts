import type { FastifyInstance, onRequestHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { type BodyLimits, BodyReader, checkDeclaredLength } from "./read-body.ts";
import { toMessageText } from "../bounded-text.ts";

/** `application/json`, with or without parameters. Any other text after it is rejected (CVE-2026-3419). */
const JSON_TYPE = /^application\/json[ \t]*(?:;|$)/i;
/** Maximum length of a header value in an error message. */
const SHOWN_MAX_CHARS = 100;
const CHARSET_NAME = /^charset\*?$/i;
const UTF8 = /^(?:utf-?8|"utf-?8")$/i;

/** Passes JSON bodies to handlers as unparsed bytes, and rejects all other media types. */
export function keepBodiesRaw(app: FastifyInstance, limits: BodyLimits): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", (request, payload, done) => {
    const refusal = checkDeclaredLength(request, limits);
    if (refusal) done(refusal);
    else new BodyReader(request, payload, limits, done).start();
  });
  app.addHook("preParsing", (request, reply, _payload, done) => {
    request.context.stopwatch.pause();
    // This is the first hook after authentication and limits: see continueWhenAccepted().
    const awaitsContinue =
      request.headers.expect?.toLowerCase() === "100-continue" && request.raw.httpVersion === "1.1";
    if (awaitsContinue && !checkDeclaredLength(request, limits)) reply.raw.writeContinue();
    done();
  });
}

/**
 * Sends `100 Continue` only after the request has passed authentication and limits. By default Node sends it immediately,
 * and a client would upload many megabytes for a request that is then rejected.
 */
export function continueWhenAccepted(app: FastifyInstance): void {
  app.server.on("checkContinue", (request, response) => app.server.emit("request", request, response));
  // Any other expectation may be ignored (RFC 9110, section 10.1.1). Node's default 417 has neither a body nor a request id.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
}

/** Rejects a body that is not uncompressed UTF-8 JSON, before the body is read. */
export const requireJson: onRequestHookHandler = (request, _reply, done) => {
  const type = request.headers["content-type"] ?? "";
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (!JSON_TYPE.test(type) || !isUtf8(type)) {
    done(createMediaTypeError(type));
  } else if (encoding !== "identity") {
    done(
      new GatewayError(
        "unsupported_content_encoding",
        `The Content-Encoding ${toMessageText(encoding, SHOWN_MAX_CHARS)} is not supported; send the body uncompressed.`,
      ),
    );
  } else done();
};

/**
 * Whether a media type has no charset parameter, or only one, which names UTF-8. Two charset parameters are rejected,
 * because upstream may use the other one (RFC 9110, 5.6.6).
 */
function isUtf8(type: string): boolean {
  if (!type.includes(";")) return true;
  const charsets = type
    .split(";")
    .map((parameter) => parameter.split("="))
    .filter(([name = ""]) => CHARSET_NAME.test(name.trim()))
    .map(([, ...value]) => value.join("=").trim());
  return charsets.length <= 1 && charsets.every((charset) => UTF8.test(charset));
}

/** Returns the error for an unsupported media type. @param type the request's Content-Type; empty if it has none. */
export function createMediaTypeError(type: string): GatewayError {
  const problem =
    type === ""
      ? "The request has no Content-Type"
      : `The Content-Type ${toMessageText(type, SHOWN_MAX_CHARS)} is not supported`;
  return new GatewayError(
    "unsupported_media_type",
    `${problem}; send the body as application/json in UTF-8.`,
  );
}
