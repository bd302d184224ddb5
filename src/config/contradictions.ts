import type { Environment } from "./environment-schema.ts";

/** Values of the environment by name, before they are validated. */
type GivenValues = Readonly<Record<string, string | undefined>>;

/**
 * Finds mistakes in combinations of the account's key, the gateway's keys and the store.
 * @param hasKeys whether GATEWAY_API_KEYS has keys.
 */
export function findContradictions(given: GivenValues, hasKeys: boolean): string[] {
  if (given["OPENROUTER_API_KEY"] !== undefined) return findSqliteLoss(given, hasKeys);
  const mistakes: string[] = [];
  if (hasKeys) {
    // Without this check, the gateway would forward gateway keys to OpenRouter as if they were OpenRouter keys.
    mistakes.push(
      "GATEWAY_API_KEYS is set without OPENROUTER_API_KEY: set OPENROUTER_API_KEY, or remove GATEWAY_API_KEYS to forward the OpenRouter keys of clients",
    );
  }
  if (given["DATABASE_URL"] !== undefined) {
    mistakes.push(
      "DATABASE_URL is set without OPENROUTER_API_KEY: the gateway stores keys and a ledger only for its own OpenRouter account; set OPENROUTER_API_KEY, or remove DATABASE_URL",
    );
  }
  return mistakes;
}

/** Finds mistakes in a webhook whose alerts could not be signed or stored. @param hasKeys whether GATEWAY_API_KEYS has keys. */
export function findWebhookContradictions(given: GivenValues, hasKeys: boolean): string[] {
  if (given["ALERT_WEBHOOK_URL"] === undefined) return [];
  const mistakes: string[] = [];
  if (given["ALERT_WEBHOOK_SECRET"] === undefined) {
    mistakes.push(
      "ALERT_WEBHOOK_URL is set without ALERT_WEBHOOK_SECRET: alerts are signed; set a secret, created with: echo whsec_$(openssl rand -base64 32)",
    );
  }
  if (given["OPENROUTER_API_KEY"] === undefined || !wantsStore(given, hasKeys)) {
    mistakes.push(
      "ALERT_WEBHOOK_URL is set without a database: alerts are stored until they are delivered; set OPENROUTER_API_KEY and DATA_DIR or DATABASE_URL, or remove ALERT_WEBHOOK_URL",
    );
  }
  return mistakes;
}

/**
 * Whether a gateway with an OpenRouter account has a store. With `GATEWAY_API_KEYS` or `ALLOW_ANONYMOUS`, the gateway needs
 * no stored keys, so it has a store only if `DATA_DIR` or `DATABASE_URL` is set.
 */
function wantsStore(given: GivenValues, hasKeys: boolean): boolean {
  if (given["DATA_DIR"] !== undefined || given["DATABASE_URL"] !== undefined) return true;
  return !hasKeys && given["ALLOW_ANONYMOUS"] !== "true";
}

/** Rejects a SQLite file in a directory that does not persist: keys and ledger would be lost with the container. */
function findSqliteLoss(given: GivenValues, hasKeys: boolean): string[] {
  const isSqlite = given["DATABASE_URL"] === undefined && wantsStore(given, hasKeys);
  if (!isSqlite || given["DATA_DIR_PERSISTENT"] !== "false") return [];
  return [
    "DATA_DIR_PERSISTENT is false without DATABASE_URL: SQLite keeps keys and ledger in DATA_DIR and would lose them; set DATABASE_URL, or mount a directory that persists and remove DATA_DIR_PERSISTENT",
  ];
}

/** Finds listeners that would use the same port. Port 0 means any free port. */
export function findPortContradictions({ PORT, METRICS_PORT }: Environment): string[] {
  if (PORT === 0 || PORT !== METRICS_PORT) return [];
  return [
    "METRICS_PORT is the same as PORT: metrics have a listener of their own; set METRICS_PORT to another port",
  ];
}
