import { setTimeout as sleep } from "node:timers/promises";
import {
  DIAGNOSTIC_DURATION_MAX_MS,
  DIAGNOSTIC_EVENTS_MAX,
  type DiagnosticPlan,
} from "../../endpoints/diagnostic-stream.ts";
import { failed, ok, type Result, warning } from "../finding.ts";
import { formatMs } from "../finding-text.ts";
import type { HttpProbe, Observation } from "./http-probe.ts";
import { explainFault, readGatewayError } from "./response-faults.ts";
import { requestStream } from "./stream-check.ts";

const TIMEOUT_SETTINGS =
  "proxy_read_timeout 900s in nginx, timeout server 900s and timeout client 900s in HAProxy, idle_timeout.timeout_seconds of an AWS ALB (default 60 s); Cloudflare ends silent responses after 100 s";

/** Time that events continue after the time at which a silent stream was cut. */
const LONGER_MS = 5_000;
const BUSY_INTERVAL_MS = 1_000;
const RETRY_MS = 500;

/**
 * Checks whether a stream that is silent for a while arrives whole. If not, a second stream with frequent events shows whether
 * its silence was the cause, or its duration.
 */
export async function checkIdle(probe: HttpProbe, idleMs: number): Promise<Result[]> {
  const observation = await requestStream(probe, { events: 1, intervalMs: 0, idleMs });
  const fault = explainFault(observation);
  if (fault) return [fault];
  if (isWhole(observation)) return [ok(`A stream may be silent for ${formatMs(idleMs)}.`)];
  const silentMs = observation.endMs - (observation.pieces.at(-1)?.atMs ?? observation.headMs);
  return [await explainCut(probe, silentMs, observation)];
}

async function explainCut(probe: HttpProbe, silentMs: number, { error }: Observation): Promise<Result> {
  const finding = `A stream was cut off after ${formatMs(silentMs)} of silence${error ? "" : " (with a regular end, so that clients take it for complete)"}`;
  const busy = await requestBusyStream(probe, planBusyStream(silentMs));
  if (explainFault(busy)) return failed(`${finding}.`, `Raise the idle timeout: ${TIMEOUT_SETTINGS}.`);
  if (isWhole(busy))
    return failed(
      `${finding}; a stream of ${formatMs(busy.endMs)} without silence was not. Something in front of the gateway has an idle timeout.`,
      `Raise it: ${TIMEOUT_SETTINGS}. OpenRouter's keep-alive bytes shorten most silences, but not all.`,
    );
  return failed(
    `Streams are cut off after ${formatMs(busy.endMs)}, with and without silence: something in front of the gateway limits their duration.`,
    `Raise the total timeout of responses, such as the route timeout of Envoy or Istio (timeout: 0s) or the timeout of the backend service at Google Cloud (timeoutSec), to at least an hour.`,
  );
}

/** A proxy may end the response regularly when it cuts a stream off, so the end of the body counts as well. */
function isWhole({ isComplete, body }: Observation): boolean {
  return isComplete && body.endsWith("data: [DONE]\n\n");
}

/** Plans a stream that lasts longer than the one that was cut off after a silence, and that no proxy takes for silent. */
export function planBusyStream(silentMs: number): DiagnosticPlan {
  // Up to one ms for each interval is added by rounding.
  const longestMs = DIAGNOSTIC_DURATION_MAX_MS - DIAGNOSTIC_EVENTS_MAX;
  const durationMs = Math.min(silentMs + LONGER_MS, longestMs);
  const intervals = DIAGNOSTIC_EVENTS_MAX - 1;
  // Long streams need longer intervals, because the number of events is limited.
  const intervalMs = Math.ceil(Math.max(durationMs / intervals, Math.min(BUSY_INTERVAL_MS, silentMs / 4)));
  return { events: Math.ceil(durationMs / intervalMs) + 1, intervalMs, idleMs: 0 };
}

/**
 * Requests a second stream. Until the gateway notices that the first one was cut off, it refuses another stream of the key, at
 * most until the first one would have ended. The deadline of the check limits the wait.
 */
async function requestBusyStream(probe: HttpProbe, plan: DiagnosticPlan): Promise<Observation> {
  for (;;) {
    const observation = await requestStream(probe, plan);
    if (readGatewayError(observation) !== "concurrency_limit_exceeded") return observation;
    await sleep(RETRY_MS);
  }
}

/** Warns about a silence that was not tested, because it is shorter than the gateway allows. */
export function describeUntested(idleMs: number, headersTimeoutMs: number | undefined): Result[] {
  if (idleMs > 0) return [];
  return [
    warning(
      "Idle timeouts were not tested (--idle 0).",
      `Run doctor with --idle 65s: responses may be silent for up to ${formatMs(headersTimeoutMs ?? 900_000)}.`,
    ),
  ];
}
