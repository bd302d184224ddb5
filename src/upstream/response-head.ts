import type { IncomingHttpHeaders } from "node:http";

const MAX_CHARS = 128;

/** The head of upstream's final response, read once; 1xx never get here. */
export interface UpstreamHead {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  /** In lower case, without parameters; of several the first, and empty if there is none. */
  readonly mediaType: string;
  /** OpenRouter's id of the response, by which its cost can be looked up. */
  readonly generationId: string | undefined;
  /** The provider that OpenRouter has chosen. */
  readonly provider: string | undefined;
  /** The body ends with the connection: undici takes even a reset for its clean end. */
  readonly isCloseDelimited: boolean;
  /** The body has a Content-Encoding, though none was asked for: nothing in it can be read. */
  readonly isEncoded: boolean;
}

/** Reads the head of a response. @param headers with lower-case names, as undici gives them. */
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

/** undici gives a header that comes twice as an array, whatever its type says. */
function listValues(value: string | readonly string[] | undefined): readonly string[] {
  return [value ?? []].flat();
}

function parseMediaType(contentType: string): string {
  return contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

function readGenerationId(id: string | string[] | undefined): string | undefined {
  // Half of an id is that of nothing.
  return typeof id === "string" && id.length > MAX_CHARS ? undefined : readShortText(id);
}

function readShortText(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_CHARS) : undefined;
}

/** Whether the body ends with its last chunk: with any other coding at the end, the connection ends it (RFC 9112, 6.3). */
function isChunked(transferEncoding: string | string[] | undefined): boolean {
  return /(?:^|,)[ \t]*chunked[ \t]*$/i.test(listValues(transferEncoding).join());
}
