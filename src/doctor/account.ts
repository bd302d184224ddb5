import { readFields, type JsonObject } from "../json-values.ts";
import type { BufferedResponse } from "../upstream/fetch-buffered.ts";
import { DAY_MS } from "../durations.ts";
import { failed, ok, type Result, warning } from "./finding.ts";

const KEYS_PAGE = "https://openrouter.ai/settings/keys";
const CREDITS_PAGE = "https://openrouter.ai/settings/credits";
/** Warn below this part of the limit, and this long before the key expires. */
const LOW_PART = 0.1;
const EXPIRY_MS = 7 * DAY_MS;
const LOW_CREDITS_USD = 5;

/** Checks OpenRouter's description of OPENROUTER_API_KEY (`GET /key`). */
export function checkKey(response: BufferedResponse): Result[] {
  const refused = checkStatus(response, "OPENROUTER_API_KEY", KEYS_PAGE);
  if (refused) return [refused];
  const data = readData(response);
  if (!("limit" in data))
    return [
      warning(
        "The response to GET /key is 200, but does not describe OPENROUTER_API_KEY.",
        "Look for a proxy between this machine and OpenRouter that changes responses.",
      ),
    ];
  if (data["is_management_key"] === true || data["is_provisioning_key"] === true)
    return [
      failed(
        "OPENROUTER_API_KEY is a management key, which cannot call models.",
        `Create a key at ${KEYS_PAGE} for OPENROUTER_API_KEY, and use this one as OPENROUTER_MANAGEMENT_KEY.`,
      ),
    ];
  return [checkLimit(data), ...checkExpiry(data)];
}

function checkLimit({ limit, limit_remaining: remaining, limit_reset: reset }: JsonObject): Result {
  if (typeof limit !== "number" || typeof remaining !== "number")
    return ok("OPENROUTER_API_KEY is valid and has no limit.");
  const facts = `OPENROUTER_API_KEY is valid; ${formatUsd(remaining)} of its limit of ${formatUsd(limit)} ${typeof reset === "string" ? `(${reset}) ` : ""}remain.`;
  const remedy = `Raise the limit of the key at ${KEYS_PAGE}${typeof reset === "string" ? ", or wait until it resets" : ""}.`;
  if (remaining <= 0) return failed(facts, remedy);
  return remaining < limit * LOW_PART ? warning(facts, remedy) : ok(facts);
}

function checkExpiry({ expires_at: expiresAt }: JsonObject): Result[] {
  const time = typeof expiresAt === "string" ? Date.parse(expiresAt) : Number.NaN;
  if (Number.isNaN(time) || time - Date.now() > EXPIRY_MS) return [];
  const text = `OPENROUTER_API_KEY expires at ${new Date(time).toISOString()}.`;
  return [
    time <= Date.now()
      ? failed(text, `Create another key at ${KEYS_PAGE}.`)
      : warning(
          text,
          `Create another key at ${KEYS_PAGE} and replace this one (docs/operations/openrouter-key.md).`,
        ),
  ];
}

/** Checks the credits of the account (`GET /credits`). */
export function checkCredits(response: BufferedResponse): Result[] {
  const refused = checkStatus(
    response,
    "OPENROUTER_MANAGEMENT_KEY",
    "https://openrouter.ai/settings/management-keys",
  );
  if (refused) return [refused];
  const { total_credits: credits, total_usage: usage } = readData(response);
  if (typeof credits !== "number" || typeof usage !== "number")
    return [
      warning("OpenRouter's response to GET /credits states no credits.", "Look at the account's page."),
    ];
  const remaining = credits - usage;
  const facts = `The account has ${formatUsd(remaining)} of credits left.`;
  const remedy = `Buy credits at ${CREDITS_PAGE}, or turn on auto top-up there.`;
  if (remaining <= 0) return [failed(facts, remedy)];
  return [remaining < LOW_CREDITS_USD ? warning(facts, remedy) : ok(facts)];
}

function checkStatus({ status }: BufferedResponse, name: string, page: string): Result | undefined {
  if (status === 200) return undefined;
  if (status === 401)
    return failed(
      `OpenRouter rejects ${name} (401): it is wrong, disabled or expired.`,
      `Copy the whole key from ${page}, or create another one.`,
    );
  if (status === 403)
    return failed(
      `OpenRouter does not allow ${name} this request (403).`,
      name === "OPENROUTER_MANAGEMENT_KEY"
        ? `Use a management key, which is created at ${page}.`
        : "Look at the rules of the account for this key, such as its allowed addresses. A firewall or proxy can also send a 403.",
    );
  return warning(
    `OpenRouter responds to the check of ${name} with ${status}.`,
    "Try again, and look at https://status.openrouter.ai.",
  );
}

function readData({ body }: BufferedResponse): JsonObject {
  try {
    return readFields(readFields(JSON.parse(body.toString()))["data"]);
  } catch {
    return {};
  }
}

function formatUsd(usd: number): string {
  return `$${usd.toFixed(2)}`;
}
