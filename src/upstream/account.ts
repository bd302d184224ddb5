import { GatewayError } from "../errors.ts";
import { isJsonObject, readFields } from "../json-values.ts";
import { toNanodollars } from "../money.ts";
import type { Upstream } from "./openrouter.ts";
import { fetchBuffered } from "./fetch-buffered.ts";

const MAX_BYTES = 262_144;
/** More than any account has, in US dollars. */
const USD_MAX = 1e9;

/** The balances of an account: the limit of the gateway's key, and the credits of the account. */
export type BalanceSource = "key_limit" | "account_credits";

/** Reads a balance: the money that is left, in nanodollars, or null if nothing limits it. @throws if it cannot be read. */
export type ReadBalance = () => Promise<number | null>;

export interface AccountKeys {
  /** The key that the gateway uses for requests to models. */
  readonly apiKey: string;
  /** undefined: the credits of the account are not known. */
  readonly managementKey: string | undefined;
}

/**
 * Creates the functions that read the balances of an account: `limit_remaining` of `GET /key`, and with a management key the
 * credits less the usage of `GET /credits`.
 */
export function createBalanceReaders(
  upstream: Upstream,
  { apiKey, managementKey }: AccountKeys,
): ReadonlyMap<BalanceSource, ReadBalance> {
  const readers = new Map<BalanceSource, ReadBalance>();
  readers.set("key_limit", async () => {
    const { limit_remaining: remaining } = await fetchData(upstream, "/key", apiKey);
    // A key without a limit has null. A response without the field says nothing about a limit.
    return remaining === null || remaining === undefined ? null : parseAmount(remaining);
  });
  if (managementKey !== undefined) {
    readers.set("account_credits", async () => {
      const { total_credits: credits, total_usage: usage } = await fetchData(
        upstream,
        "/credits",
        managementKey,
      );
      return parseAmount(credits) - parseAmount(usage);
    });
  }
  return readers;
}

/** Fetches the `data` of a response. @throws GatewayError if the response is not a 200 with such an object. */
async function fetchData(
  upstream: Upstream,
  path: string,
  key: string,
): Promise<Readonly<Record<string, unknown>>> {
  const authorization = `Bearer ${key}`;
  const { status, body } = await fetchBuffered(upstream, { path, authorization, maxBytes: MAX_BYTES });
  const data = status === 200 ? readFields(parseJson(body))["data"] : undefined;
  if (isJsonObject(data)) return data;
  throw new GatewayError("upstream_bad_response", `OpenRouter's response to ${path} has no data.`, {
    cause: Object.assign(new Error(`status ${status}`), { code: `STATUS_${status}` }),
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

/** @throws GatewayError if the value is not an amount of US dollars. */
function parseAmount(usd: unknown): number {
  if (typeof usd === "number" && Math.abs(usd) <= USD_MAX) return toNanodollars(usd);
  throw new GatewayError("upstream_bad_response", "OpenRouter's response states no valid balance.");
}
