import type { Config } from "../config/config.ts";
import { readFields } from "../json-values.ts";
import { type BufferedResponse, fetchBuffered } from "../upstream/fetch-buffered.ts";
import { connectUpstream, type Upstream } from "../upstream/openrouter.ts";
import { checkClock } from "./clock.ts";
import { checkCredits, checkKey } from "./account.ts";
import { UNKNOWN_KEY } from "./configuration.ts";
import { failed, ok, type Result, skipped, warning } from "./finding.ts";
import { formatMs } from "./finding-text.ts";
import { describeFailure } from "./upstream-failure.ts";

const MODELS_MAX_BYTES = 67_108_864;
const DOCUMENT_MAX_BYTES = 262_144;

/** Checks OpenRouter as the gateway reaches it: through the same proxy, with the same pool and the same keys. */
export async function checkUpstream(config: Config, signal: AbortSignal): Promise<Result[]> {
  const upstream = connectUpstream(config.upstream);
  const close = (): void => void upstream.close();
  signal.addEventListener("abort", close);
  try {
    const first = await fetchModels(upstream, config);
    if (!first.isOpenRouter) return first.results;
    const { openrouterApiKey, account } = config;
    const accountResults = await Promise.all([
      describeUnknownKey(openrouterApiKey) ??
        readAccount(upstream, { path: "/key", key: openrouterApiKey }, checkKey),
      account.managementKey === undefined
        ? []
        : readAccount(upstream, { path: "/credits", key: account.managementKey }, checkCredits),
    ]);
    return [...first.results, ...accountResults.flat()];
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/** Returns why a key cannot be checked; undefined if it can. */
function describeUnknownKey(key: string | undefined): Result[] | undefined {
  if (key === undefined)
    return [
      skipped("OPENROUTER_API_KEY is not set: clients send their own keys, which doctor cannot check."),
    ];
  return key === UNKNOWN_KEY
    ? [skipped("OPENROUTER_API_KEY was not checked, because it has a mistake.")]
    : undefined;
}

async function fetchModels(
  upstream: Upstream,
  { upstream: { baseUrl, proxyUrl } }: Config,
): Promise<{ isOpenRouter: boolean; results: Result[] }> {
  const via = proxyUrl === undefined ? "" : ` through the proxy ${new URL(proxyUrl).host}`;
  const startedAt = performance.now();
  const sentAt = Date.now();
  let response: BufferedResponse;
  try {
    response = await fetchBuffered(upstream, {
      path: "/models",
      authorization: undefined,
      maxBytes: MODELS_MAX_BYTES,
    });
  } catch (error) {
    const { text, remedy } = describeFailure(error, proxyUrl !== undefined);
    return { isOpenRouter: false, results: [failed(`${baseUrl} cannot be reached${via}: ${text}.`, remedy)] };
  }
  const receivedAt = Date.now();
  const facts = `GET ${baseUrl}/models${via} responds with ${response.status} in ${formatMs(performance.now() - startedAt)}`;
  if (response.status === 200 && !hasModels(response))
    return { isOpenRouter: false, results: [createForeignFinding(facts, response)] };
  const models = response.status === 200 ? ok(`${facts}.`) : createStatusFinding(facts, response.status);
  return { isOpenRouter: true, results: [models, ...checkDate(response, { sentAt, receivedAt })] };
}

function hasModels({ body }: BufferedResponse): boolean {
  try {
    return Array.isArray(readFields(JSON.parse(body.toString()))["data"]);
  } catch {
    return false;
  }
}

/** Explains a 200 of a server that is not OpenRouter, such as a website or the login page of a network. */
function createForeignFinding(facts: string, { headers }: BufferedResponse): Result {
  return failed(
    `${facts}, but with ${headers["content-type"] ?? "a document without content-type"} in place of a list of models: this is not OpenRouter's API.`,
    "Correct OPENROUTER_BASE_URL, such as https://openrouter.ai/api/v1 (not https://openrouter.ai), and look for a proxy that responds with a page of its own.",
  );
}

function createStatusFinding(facts: string, status: number): Result {
  if (status >= 500 || status === 429)
    return warning(`${facts}.`, "Wait, and look at https://status.openrouter.ai.");
  return failed(
    `${facts}.`,
    "Correct OPENROUTER_BASE_URL, such as https://openrouter.ai/api/v1. A 403 can also come from a firewall or from OpenRouter's edge, which blocks this address.",
  );
}

/** Compares the clocks. The response may take long after its head, but `Date` is only compared with both bounds. */
function checkDate({ headers }: BufferedResponse, times: { sentAt: number; receivedAt: number }): Result[] {
  const time = Date.parse(headers.date ?? "");
  if (Number.isNaN(time)) return [skipped("The clock was not compared, because the response has no Date.")];
  return [checkClock("OpenRouter", { time, ...times, resolutionMs: 1_000 })];
}

async function readAccount(
  upstream: Upstream,
  { path, key }: { path: string; key: string | undefined },
  check: (response: BufferedResponse) => Result[],
): Promise<Result[]> {
  try {
    return check(
      await fetchBuffered(upstream, { path, authorization: `Bearer ${key}`, maxBytes: DOCUMENT_MAX_BYTES }),
    );
  } catch (error) {
    const { text, remedy } = describeFailure(error, false);
    return [failed(`GET ${path} failed: ${text}.`, remedy)];
  }
}
