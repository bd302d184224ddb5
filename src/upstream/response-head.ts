import type { IncomingHttpHeaders } from "node:http";

const MAX_CHARS = 128;

/** The head of upstream's final response; 1xx responses are ignored. */
export interface UpstreamHead {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  /** Media type in lower case without parameters. It is the first of several, and empty if there is none. */
  readonly mediaType: string;
  /** OpenRouter's id of the response, by which its cost can be looked up. */
  readonly generationId: string | undefined;
  /** Provider that OpenRouter has chosen. */
  readonly provider: string | undefined;
  /** Whether the body ends when the connection closes. If so, undici reports even a reset of the connection as a normal end. */
  readonly isCloseDelimited: boolean;
  /** Whether the body has a Content-Encoding, although the request accepts none. The gateway cannot inspect such a body. */
  readonly isEncoded: boolean;
}

/** Parses the head of a response. @param headers headers with lower-case names, as undici returns them. */
export function readResponseHead(status: number, headers: IncomingHttpHeaders): UpstreamHead {
  return {
    status,
    headers,
    mediaType: parseMediaType(listValues(headers["content-type"])[0] ?? ""),
    generationId: readGenerationId(headers["x-generation-id"]),
    provider: readShortText(headers["x-provider-name"]),
    isCloseDelimited: headers["content-length"] === undefined && !isChunked(headers["transfer-encoding"]),
    isEncoded: !/^(?:identity)?,?$/i.test(listValues(headers["content-encoding"]).join()),
  };
}

/** Returns all values of a header. undici returns a repeated header as an array, although the type does not allow it. */
function listValues(value: string | readonly string[] | undefined): readonly string[] {
  return [value ?? []].flat();
}

function parseMediaType(contentType: string): string {
  return contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

function readGenerationId(id: string | string[] | undefined): string | undefined {
  // A truncated id would identify nothing, so a long one is ignored.
  return typeof id === "string" && id.length > MAX_CHARS ? undefined : readShortText(id);
}

function readShortText(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_CHARS) : undefined;
}

/**
 * Whether the last transfer coding is `chunked`. With any other last coding, the body ends when the connection closes
 * (RFC 9112, section 6.3).
 */
function isChunked(transferEncoding: string | string[] | undefined): boolean {
  return /(?:^|,)[ \t]*chunked[ \t]*$/i.test(listValues(transferEncoding).join());
}
