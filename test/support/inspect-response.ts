import { COMPLETION_FORMAT, type ResponseFormat } from "../../src/relay/response-format.ts";
import type { FastifyReply, FastifyRequest } from "fastify";
import { RequestContext } from "../../src/http/request-context.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { ResponseInspector } from "../../src/relay/response-inspector.ts";
import type { ResponseFixture } from "../fixtures/replay.ts";

interface ReadOptions {
  /** Whether upstream ended the response cleanly; default true. */
  readonly ended?: boolean;
  /** The API of the response; default: chat completions. */
  readonly format?: ResponseFormat;
  /** Headers in addition to the content type; default: a generation id and chunked encoding. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Passes a response to a `ResponseInspector` in these pieces. @returns the facts that the inspector has read. */
export function inspectResponse(
  response: Pick<ResponseFixture, "contentType" | "status">,
  pieces: readonly Buffer[],
  {
    ended = true,
    format = COMPLETION_FORMAT,
    headers = { "x-generation-id": "gen-1", "transfer-encoding": "chunked" },
  }: ReadOptions = {},
) {
  const request = { id: "r-1", method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
  const context = new RequestContext(request, { raw: {} } as FastifyReply, () => {});
  const inspector = new ResponseInspector(format);
  inspector.onHead(
    readResponseHead(response.status, { "content-type": response.contentType, ...headers }),
    context,
  );
  for (const piece of pieces) inspector.push(piece);
  const idBeforeEnd = context.generationId;
  const { isTruncated, hasError, isMissingDone } = inspector;
  context.isResponseComplete = ended;
  inspector.finish(context);
  const { usage, responseModel, isResponseComplete, generationId, provider, upstreamStatus } = context;
  return {
    usage,
    responseModel,
    isResponseComplete,
    generationId,
    idBeforeEnd,
    provider,
    upstreamStatus,
    isTruncated,
    hasError,
    isMissingDone,
  };
}

/** Splits bytes into pieces of these sizes. After the last size, continues with the first size. */
export function cutIntoPieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, count = 0; at < bytes.length; count++) {
    const size = sizes[count % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
