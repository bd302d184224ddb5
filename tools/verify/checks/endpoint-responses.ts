import type { Check } from "../check.ts";
import type { Outgoing } from "../client-call.ts";
import { buildBody, type Endpoint } from "../endpoints.ts";
import type { Harness } from "../harness.ts";
import type { StreamProtocol } from "../stream-protocols.ts";
import { COMMENT, KEEP_ALIVE, respondError, respondJson, respondStream } from "../upstream-responses.ts";
import { checkRelayed } from "./response-check.ts";

/** Builds a small request to an endpoint. */
export function buildRequest(endpoint: Endpoint, { marker }: Harness, stream: boolean): Outgoing {
  const flag = stream ? `,"stream":true` : "";
  return { path: endpoint.path, body: buildBody(endpoint, marker, flag) };
}

interface Relayed {
  readonly name: string;
  readonly title: string;
  readonly why: string;
  readonly parts: readonly (string | Buffer)[];
}

function createRelayCheck(endpoint: Endpoint, stream: boolean, { name, title, why, parts }: Relayed): Check {
  const sent = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return {
    id: `${endpoint.group}/${name}`,
    title: `${title}, byte for byte`,
    why,
    expected: "the client gets status 200, the bytes that upstream sent, and a complete response",
    run: (harness) => {
      harness.respondWith((stream ? respondStream : respondJson)(parts));
      return checkRelayed(harness, buildRequest(endpoint, harness, stream), { sent });
    },
  };
}

function createUpstreamErrorCheck(endpoint: Endpoint): Check {
  const { group, upstreamError, stream } = endpoint;
  return {
    id: `${group}/upstream-error`,
    title: "an error of upstream keeps its status and its body",
    why: "Claude Code and other clients decide by status and wording whether to retry, wait or fail",
    expected: "status 429 with upstream's bytes",
    run: (harness) => {
      harness.respondWith(respondError(429, upstreamError));
      const request = buildRequest(endpoint, harness, stream !== undefined);
      return checkRelayed(harness, request, { status: 429, sent: upstreamError });
    },
  };
}

/** Creates the checks that hold for the plain responses of every endpoint. */
export function createPlainResponseChecks(endpoint: Endpoint): readonly Check[] {
  const plain: Relayed = {
    name: "plain",
    title: "a plain response with white space around it, and numbers and escapes as upstream spells them",
    why: "a gateway that parses a response and serialises it again changes costs and texts, or loses fields",
    parts: [KEEP_ALIVE, KEEP_ALIVE.repeat(2), endpoint.plainResponse, "\n"],
  };
  return [createRelayCheck(endpoint, false, plain), createUpstreamErrorCheck(endpoint)];
}

const LONG_TEXT = "i".repeat(1 << 20);

function listStreams({ begin, end, formatText, errorEvent, ...protocol }: StreamProtocol): Relayed[] {
  const spelled = formatText("caf\\u00e9 \\/ \\uD83D Grüße, 世界 🎉");
  const stream = [...begin, spelled, ...end];
  return [
    {
      name: "stream",
      title: "a stream",
      why: "a gateway that parses events and serialises them again loses fields that it does not know",
      parts: stream,
    },
    {
      name: "comments",
      title: "comments before and between the events of a stream",
      why: "`: OPENROUTER PROCESSING` keeps a connection alive while a model thinks",
      parts: [COMMENT, COMMENT, ...begin, COMMENT, ...end],
    },
    {
      name: "event-lines",
      title: "lines besides `data:` in a stream",
      why: protocol.eventLinesWhy,
      parts: [...begin, ...protocol.eventLines, ...end],
    },
    {
      name: "crlf",
      title: "a stream with CRLF line breaks",
      why: "server-sent events may end lines with CRLF; a gateway that splits at LF LF finds no event",
      parts: [COMMENT, ...stream].map((part) => part.replaceAll("\n", "\r\n")),
    },
    {
      name: "split",
      title: "a stream that arrives byte by byte",
      why: "a gateway that treats each packet as a whole event loses events when a network splits them",
      parts: Array.from(Buffer.from([begin.at(-1), spelled, ...end].join("")), (byte) => Buffer.of(byte)),
    },
    {
      name: "long-event",
      title: "an event of one megabyte",
      why: "the last event of a response may repeat all of it, and an image is sent in one event",
      parts: [...begin, formatText(LONG_TEXT), ...end],
    },
    {
      name: "error-event",
      title: "an error event of upstream within a stream",
      why: "only this event states why the response ends; gateways that read only texts drop it",
      parts: [...begin, errorEvent],
    },
    {
      name: "early-end",
      title: "a stream that ends without its last events",
      why: "an invented last event makes an incomplete response look complete",
      parts: begin,
    },
  ];
}

/** Creates the checks of the streams of an endpoint. */
export function createStreamChecks(endpoint: Endpoint, protocol: StreamProtocol): readonly Check[] {
  return listStreams(protocol).map((relayed) => createRelayCheck(endpoint, true, relayed));
}

const VECTOR = `{"object":"embedding","index":0,"embedding":[${"-0.0012345678901234567,1E-5,".repeat(100)}0.10]}`;
const VECTORS = `"data":[${Array.from({ length: 1_000 }, () => VECTOR).join(",")}]`;
const USAGE = `"usage":{"prompt_tokens":9,"total_tokens":9,"cost":1.4e-7},"id":"gen-emb-1767225600-V3r1fy"`;
/** The number of parts in which upstream sends megabytes. */
const PARTS = 50;

function splitEvenly(text: string): string[] {
  const length = Math.ceil(text.length / PARTS);
  return Array.from({ length: PARTS }, (_, at) => text.slice(at * length, (at + 1) * length));
}

/** Creates the checks of what only responses of the embeddings API have. */
export function createEmbeddingsChecks(endpoint: Endpoint): readonly Check[] {
  const why =
    "embeddings of many texts have megabytes; a gateway that reads numbers as doubles changes digits";
  return [
    {
      name: "megabytes",
      title: "a response of three megabytes with its usage at the end",
      why,
      parts: splitEvenly(`{"object":"list",${VECTORS},"model":"m",${USAGE}}`),
    },
    {
      name: "usage-first",
      title: "a response of three megabytes with its usage at the start",
      why,
      parts: splitEvenly(`{"object":"list",${USAGE},"model":"m",${VECTORS}}`),
    },
  ].map((relayed) => createRelayCheck(endpoint, false, relayed));
}
