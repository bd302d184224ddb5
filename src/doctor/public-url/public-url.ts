import { isBaseUrl } from "../../config/values.ts";
import { DIAGNOSTIC_DURATION_MAX_MS } from "../../endpoints/diagnostic-stream.ts";
import { formatMs } from "../finding-text.ts";
import { failed, ok, type Result, warning } from "../finding.ts";
import { checkBody } from "./body-check.ts";
import { HttpProbe, type Observation } from "./http-probe.ts";
import { checkIdle, describeUntested } from "./idle-check.ts";
import { explainFault } from "./response-faults.ts";
import { checkStream, requestStream, STREAM_PLAN } from "./stream-check.ts";

export interface PublicUrlOptions {
  /** The base URL of clients, such as https://gateway.example.com/openai/v1. */
  readonly url: string;
  /** A gateway key; undefined if `SLUICE_KEY` is not set. */
  readonly key: string | undefined;
  /** How long a stream is silent to find idle timeouts; 0: not tested. */
  readonly idleMs: number;
  /** `BODY_LIMIT_BYTES` and `UPSTREAM_HEADERS_TIMEOUT_MS` of the gateway, if its configuration is known. */
  readonly bodyLimitBytes: number | undefined;
  readonly headersTimeoutMs: number | undefined;
}

/** Checks how the proxies in front of a gateway treat its responses. The checks run one after the other, and call no model. */
export async function checkPublicUrl(options: PublicUrlOptions, signal: AbortSignal): Promise<Result[]> {
  const { url, key, idleMs } = options;
  if (!isBaseUrl(url))
    return [
      failed(
        "--url is not an http or https URL without credentials, query and fragment.",
        "Pass the base URL of clients, such as https://gateway.example.com/openai/v1.",
      ),
    ];
  if (key === undefined || !/^[\x21-\x7e]{1,512}$/.test(key))
    return [
      failed(
        key === undefined
          ? "SLUICE_KEY is not set, and the public URL is checked with a key of the gateway."
          : "SLUICE_KEY is not a key: it contains spaces or other characters that no key has.",
        "Create a key with npm run sluice -- keys create --name doctor, and set SLUICE_KEY to it. It is not an option, because other users can see the arguments of a command.",
      ),
    ];
  if (idleMs > DIAGNOSTIC_DURATION_MAX_MS)
    return [
      failed(
        `--idle is longer than the ${formatMs(DIAGNOSTIC_DURATION_MAX_MS)} that the gateway allows.`,
        "Pass --idle 10m or less.",
      ),
    ];
  const probe = new HttpProbe(url, key, signal);
  try {
    return await checkWithProbe(probe, options);
  } finally {
    probe.close();
  }
}

async function checkWithProbe(
  probe: HttpProbe,
  { idleMs, bodyLimitBytes, headersTimeoutMs }: PublicUrlOptions,
): Promise<Result[]> {
  const stream = await requestStream(probe, STREAM_PLAN);
  const fault = explainFault(stream);
  if (fault) return [fault];
  const second = await requestStream(probe, { events: 1, intervalMs: 0, idleMs: 0 });
  return [
    ...checkStream(stream, STREAM_PLAN),
    ...checkReuse(stream, second),
    ...(await checkBody(probe, bodyLimitBytes)),
    ...(idleMs > 0 ? await checkIdle(probe, idleMs) : describeUntested(idleMs, headersTimeoutMs)),
  ];
}

/** Whether the second request used the connection of the first one. A response that announces the end is reported elsewhere. */
function checkReuse(first: Observation, second: Observation): Result[] {
  if (first.headers.connection === "close") return [];
  if (second.reusedConnection) return [ok("Connections are kept alive.")];
  return [
    warning(
      "The connection was closed after the first response, although the response did not announce it.",
      "Raise the idle timeout of client connections: keepalive_timeout 75s in nginx, timeout http-keep-alive 60s in HAProxy.",
    ),
  ];
}
