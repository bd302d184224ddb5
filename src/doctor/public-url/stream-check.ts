import {
  type DiagnosticPlan,
  type ForwardedFor,
  listDiagnosticEvents,
} from "../../endpoints/diagnostic-stream.ts";
import { failed, ok, type Result, warning } from "../finding.ts";
import { formatMs } from "../finding-text.ts";
import type { HttpProbe, Observation } from "./http-probe.ts";

/** An event that is later than this was held back. Networks delay events by less. */
const LATE_MS = 500;
/** Time for a whole stream beyond its own: a proxy that buffers sends the head last. */
const STREAM_MARGIN_MS = 15_000;
const FORWARDED: readonly ForwardedFor[] = ["absent", "ignored", "trusted"];

export const STREAM_PLAN: DiagnosticPlan = { events: 10, intervalMs: 200, idleMs: 0 };

/** Requests a diagnostic stream. */
export function requestStream(
  probe: HttpProbe,
  { events, intervalMs, idleMs }: DiagnosticPlan,
): Promise<Observation> {
  const path = `/diagnostics/stream?events=${events}&interval_ms=${intervalMs}&idle_ms=${idleMs}`;
  const plannedMs = (events - 1) * intervalMs + idleMs;
  return probe.send({ method: "GET", path, timeoutMs: plannedMs + STREAM_MARGIN_MS });
}

/** Checks a stream that has arrived: its bytes, its delivery, and the headers on its way. */
export function checkStream(observation: Observation, plan: DiagnosticPlan): Result[] {
  return [
    ...checkBytes(observation, plan),
    // The arrival of an event in a compressed body is not known.
    ...(observation.headers["content-encoding"] === undefined ? [checkDelivery(observation, plan)] : []),
    checkRequestId(observation),
    ...checkProtocol(observation),
    ...checkForwardedFor(observation),
  ];
}

function checkBytes(observation: Observation, plan: DiagnosticPlan): Result[] {
  const encoding = observation.headers["content-encoding"];
  if (encoding !== undefined)
    return [
      failed(
        `Something in front of the gateway compresses streams (content-encoding: ${encoding}), and so holds events back.`,
        "Turn compression off for this path: gzip off in nginx, no text/event-stream in compression type of HAProxy, no encode in Caddy; in Cloudflare a rule that disables compression.",
      ),
    ];
  const texts = FORWARDED.map((forwarded) =>
    listDiagnosticEvents(plan, forwarded)
      .map(({ text }) => text)
      .join(""),
  );
  if (texts.includes(observation.body)) return [ok("The bytes of a stream arrive unchanged.")];
  return [
    failed(
      observation.isComplete
        ? "The bytes of a stream were changed on their way."
        : `A stream of ${formatMs((plan.events - 1) * plan.intervalMs)} was cut off after ${formatMs(observation.endMs)}.`,
      "Let the proxy pass responses unchanged: no filters (sub_filter in nginx), no rewriting, no web application firewall that buffers.",
    ),
  ];
}

/** The time of arrival of each event, in ms, relative to the head of the request. */
function listArrivals({ pieces }: Observation): number[] {
  const arrivals: number[] = [];
  let text = "";
  for (const { atMs, bytes } of pieces) {
    text += bytes.toString("latin1");
    const complete = text.split("\n\n").filter((part) => part.includes('"event":')).length;
    // The last part is incomplete unless the text ends with an empty line.
    const events = text.endsWith("\n\n") ? complete : complete - 1;
    while (arrivals.length < events) arrivals.push(atMs);
  }
  return arrivals;
}

function checkDelivery(observation: Observation, plan: DiagnosticPlan): Result {
  const arrivals = listArrivals(observation);
  const events = listDiagnosticEvents(plan, "absent");
  // The end of the stream is the last time that a buffer can be flushed, so the first event of a buffered stream is the latest.
  const offsets = arrivals.map((atMs, index) => atMs - (events[index]?.atMs ?? 0));
  const lateness = Math.max(0, ...offsets) - Math.min(...offsets);
  const distinct = new Set(arrivals).size;
  if (arrivals.length < 2)
    return failed("No events of the stream arrived.", "Look into the log of the proxy.");
  if (lateness < LATE_MS) return ok(`Events arrive as they are sent, at most ${formatMs(lateness)} late.`);
  return failed(
    distinct <= 2
      ? `Something in front of the gateway buffers streams: ${arrivals.length} events arrived together, up to ${formatMs(lateness)} late.`
      : `Something in front of the gateway delays events by up to ${formatMs(lateness)}.`,
    "Turn buffering off: proxy_buffering off in nginx (and no proxy_ignore_headers X-Accel-Buffering), no option http-buffer-response in HAProxy, no response_buffers in Caddy. Cloudflare and AWS ALB do not buffer text/event-stream; API Gateway and some firewalls do.",
  );
}

function checkRequestId({ headers, requestId }: Observation): Result {
  const received = headers["x-request-id"];
  if (received === requestId) return ok("x-request-id passes in both directions.");
  return warning(
    received === undefined
      ? "The response has no x-request-id, with which requests are found in the gateway's log."
      : "x-request-id of the client is replaced on its way, so that clients cannot name their requests.",
    "Let the proxy pass x-request-id: no proxy_hide_header and no proxy_set_header X-Request-Id in nginx, no unique-id-header of this name in HAProxy.",
  );
}

function checkProtocol({ httpVersion, headers }: Observation): Result[] {
  if (httpVersion !== "1.0" && headers.connection !== "close") return [];
  return [
    warning(
      `The connection is closed after each response (HTTP/${httpVersion}).`,
      "Use HTTP/1.1 with keep-alive between clients and the proxy (keepalive_timeout in nginx): new connections make each request slower. A gateway that shuts down closes connections, too.",
    ),
  ];
}

function checkForwardedFor({ body }: Observation): Result[] {
  if (body.includes('"forwarded_for":"ignored"'))
    return [
      warning(
        "A proxy in front of the gateway sends X-Forwarded-For, and the gateway does not trust it: limits per address count all clients as one.",
        "Set TRUST_PROXY of the gateway to the address or network of the proxy, such as 10.0.0.0/8.",
      ),
    ];
  return body.includes('"forwarded_for":"trusted"')
    ? [ok("The gateway trusts the X-Forwarded-For of its proxy.")]
    : [];
}
