import { failed, ok, type Result, warning } from "../finding.ts";
import { formatBytes } from "../finding-text.ts";
import type { HttpProbe, Observation } from "./http-probe.ts";
import { explainFault, readGatewayError } from "./response-faults.ts";

/** Enough for a slow connection of 1 Mbit/s. */
const UPLOAD_TIMEOUT_MS = 60_000;
/** Prompts with images have several MiB, and nginx's default limit is 1 MiB. */
const BODY_BYTES = 4 * 1_048_576;

/**
 * Sends a long body that the gateway reads and then refuses: its `model` is a number, which is an error at OpenRouter as well. So
 * no model is called.
 */
export async function checkBody(probe: HttpProbe, limitBytes: number | undefined): Promise<Result[]> {
  const length = Math.min(BODY_BYTES, limitBytes ?? BODY_BYTES);
  const head = '{"model":0,"padding":"';
  const body = Buffer.from(`${head}${"x".repeat(Math.max(0, length - head.length - 2))}"}`);
  const observation = await probe.send({
    method: "POST",
    path: "/chat/completions",
    body,
    timeoutMs: UPLOAD_TIMEOUT_MS,
  });
  return [explainUpload(observation, body.length), ...explainContinue(observation)];
}

function explainUpload(observation: Observation, length: number): Result {
  const size = formatBytes(length);
  const { status, error } = observation;
  const code = readGatewayError(observation);
  if (status === 400 && code !== undefined) return ok(`A request body of ${size} reaches the gateway.`);
  if (code === "request_too_large")
    return failed(`The gateway refuses a request body of ${size}.`, "Raise BODY_LIMIT_BYTES of the gateway.");
  if (status === 413)
    return failed(
      `Something in front of the gateway refuses a request body of ${size} (413).`,
      "Raise its limit to BODY_LIMIT_BYTES (64 MiB): client_max_body_size 64m in nginx, request_body max_size in Caddy. Cloudflare allows 100 MB in the free plan; AWS API Gateway allows 10 MB.",
    );
  if (status === undefined)
    return failed(
      `The connection was closed while a request body of ${size} was sent${error ? "" : " without a response"}.`,
      "Raise the limit of bodies in the proxy (client_max_body_size 64m in nginx), and its timeout for them.",
    );
  return (
    explainFault(observation) ??
    failed(
      "A request with an invalid model was accepted, so the public URL does not lead to a Sluice gateway.",
      "Correct --url, and let the proxy forward POST requests to the gateway.",
    )
  );
}

function explainContinue({ continued, status }: Observation): Result[] {
  if (status === 417)
    return [
      warning(
        "Expect: 100-continue is refused (417).",
        "Let the proxy answer it or pass it: curl sends it with long bodies.",
      ),
    ];
  if (continued || status === undefined || status === 413) return [];
  return [
    warning(
      "No 100 Continue arrived within two seconds: clients that wait for it, such as curl and Java, are slower by a second.",
      "Let the proxy answer Expect: 100-continue, or pass it to the gateway.",
    ),
  ];
}
