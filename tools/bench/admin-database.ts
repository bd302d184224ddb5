import type { DatabaseSync } from "node:sqlite";
import { createSecret, digestSecret } from "../../src/key-secret.ts";
import { openDatabase } from "../../src/store/database.ts";
import { DAY_MS, HOUR_MS } from "../../src/durations.ts";
import { toRowIdPrefix } from "../../src/metering/record.ts";

const KEYS = 200;
/** Keys without requests. Each has two budgets. */
const IDLE_KEYS = 10_000;
const IDLE_LIMITS = JSON.stringify({
  budgets: {
    day: { limitNanodollars: 5_000_000_000, mode: "hard" },
    month: { limitNanodollars: 90_000_000_000, mode: "soft" },
  },
});
/** One of this many idle keys may use every model. The others may use only those of one vendor. */
const OPEN_KEY_EVERY = 1_000;
const MODELS = 30;
const DAYS = 400;
/** The longest time series by the hour. Before the last two days, one of `SPARSE_EVERY` keys has requests in an hour. */
const HOURS = 31 * 24;
const DENSE_HOURS = 48;
const SPARSE_EVERY = 10;
/** One of this many requests began in the last three hours, from which time series by the minute are computed. */
const RECENT_EVERY = 8;
const RECENT_MS = 3 * HOUR_MS;
const AUDIT_ROWS = 20_000;
const ALERTS = 20_000;
/** One of this many rows belongs to the rare key, is unknown, or is pending. */
const RARE_EVERY = 40_000;
const UNKNOWN_EVERY = 20_000;
const PENDING_EVERY = 100_000;

/** The id of the key that has nearly all requests, and that of a key that has few. */
export const BUSY_KEY = "key_000";
export const RARE_KEY = "key_001";

/** Secrets of the busy key and of an admin key. */
export const CALLER_SECRET = createSecret();
export const ADMIN_SECRET = createSecret();

const keyId = (key: number): string => `key_${String(key).padStart(3, "0")}`;

/**
 * Fills the database of a gateway: requests of one busy and one rare key over 400 days, daily sums of 200 keys and 30
 * models over the same time, hourly sums of the last 31 days, keys without requests, an audit log, and alerts.
 * @param now ms since 1970, end of the 400 days. @param requests rows of the ledger.
 */
export async function fillDatabase(dataDir: string, requests: number, now: number): Promise<void> {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  await database.migrate();
  const { sqlite } = database;
  if (!sqlite) throw new Error("the bench needs SQLite");
  sqlite.exec("begin");
  insertKeys(sqlite, now);
  insertIdleKeys(sqlite, now);
  insertAlerts(sqlite, now);
  insertRequests(sqlite, requests, now);
  insertSums(sqlite, { table: "rollups_daily", time: "day", stepMs: DAY_MS, count: DAYS, now });
  insertSums(sqlite, { table: "rollups", time: "hour", stepMs: HOUR_MS, count: HOURS, now });
  sqlite.exec("commit");
  sqlite.exec("pragma wal_checkpoint(truncate)");
  await database.close();
}

function insertKeys(sqlite: DatabaseSync, now: number): void {
  const insert = sqlite.prepare(
    `insert into keys (id, name, metadata, role, prefix, digest, created_at, disabled, on_disconnect, revision)
     values (?, ?, '{}', ?, 'sk-slc-abcde', ?, ?, 0, 'cancel', 0)`,
  );
  const add = (id: string, role: string, digest: string): unknown =>
    insert.run(id, `name-${id}`, role, digest, now);
  for (let key = 1; key < KEYS; key++) add(keyId(key), "caller", String(key).padStart(64, "0"));
  add(BUSY_KEY, "caller", digestSecret(CALLER_SECRET).toString("hex"));
  add("key_admin", "admin", digestSecret(ADMIN_SECRET).toString("hex"));
  const audit = sqlite.prepare("insert into audit values (?, ?, 'cli', 'update', ?, '{}', 'bench')");
  for (let number = 0; number < AUDIT_ROWS; number++)
    audit.run(`${String(number).padStart(12, "0")}-0000`, now, keyId(2 + (number % (KEYS - 2))));
}

function insertAlerts(sqlite: DatabaseSync, now: number): void {
  const insert = sqlite.prepare(
    `insert into alerts (id, type, data, created_at, attempts, next_attempt_at, delivered_at)
     values (?, 'unknown_cost', ?, ?, 0, null, ?)`,
  );
  const data = JSON.stringify({
    key_id: BUSY_KEY,
    key_name: `name-${BUSY_KEY}`,
    record_id: "0abc",
    request_id: "r",
  });
  for (let alert = 0; alert < ALERTS; alert++) {
    const at = now - (alert * 29 * DAY_MS) / ALERTS;
    insert.run(`unknown_cost:${BUSY_KEY}:${alert}`, data, Math.floor(at), Math.floor(at) + 500);
  }
}

function insertIdleKeys(sqlite: DatabaseSync, now: number): void {
  const insert = sqlite.prepare(
    `insert into keys (id, name, owner, metadata, role, prefix, digest, created_at, disabled, on_disconnect, revision, models, limits)
     values (?, ?, 'Team of idle keys', '{}', 'caller', 'sk-slc-fghij', ?, ?, 0, 'cancel', 0, ?, ?)`,
  );
  for (let key = 0; key < IDLE_KEYS; key++) {
    const id = `key_idle_${String(key).padStart(6, "0")}`;
    const models = key % OPEN_KEY_EVERY === 0 ? null : '["vendor-a/*","vendor-b/*:free"]';
    insert.run(id, `name-${id}`, id.padStart(64, "0"), now, models, IDLE_LIMITS);
  }
}

const PROVIDERS = ["Azure", "OpenAI", "Google", "Anthropic"];
/** The results of the first of this many requests. The others are complete. */
const RESULT_EVERY = 200;
const RESULTS = [
  ["upstream_error", 429],
  ["upstream_error", 502],
  ["client_gone", 200],
  ["rejected", 503],
  ["interrupted", 0],
] as const;

function insertRequests(sqlite: DatabaseSync, count: number, now: number): void {
  const insert = sqlite.prepare(
    `insert into requests (id, request_id, generation_id, instance, key_id, key_name, requested_model, forwarded_model,
       response_model, provider, stream, status, outcome, state, prompt_tokens, completion_tokens, cached_tokens,
       reasoning_tokens, cost_nanodollars, cost_source, first_byte_ms, total_ms, bytes_in, bytes_out, started_at,
       ended_at, settle_at)
     values (?, ?, ?, 'mb2k3j4h5abcde', ?, ?, 'openrouter/openai/gpt-4o-mini', 'openai/gpt-4o-mini',
       'openai/gpt-4o-mini', ?, 1, ?, ?, ?, 812, 143, 0, 0, ?, 'stream', ?, ?, 3012, 20113, ?, ?, ?)`,
  );
  const old = count - Math.floor(count / RECENT_EVERY);
  for (let row = 0; row < count; row++) {
    const startedAt = Math.floor(
      row < old
        ? now - DAYS * DAY_MS + (row / old) * (DAYS * DAY_MS - RECENT_MS)
        : now - RECENT_MS + ((row - old) / (count - old)) * RECENT_MS,
    );
    const [outcome, status] = RESULTS[row % RESULT_EVERY] ?? ["complete", 200];
    const firstByteMs = 80 + ((row * 7_919) % 2_500);
    const totalMs = firstByteMs + ((row * 104_729) % 30_000);
    const id = `${toRowIdPrefix(startedAt)}abcdef${String(row % 1_000).padStart(3, "0")}`;
    const key = row % RARE_EVERY === 7 ? RARE_KEY : BUSY_KEY;
    const state = row % UNKNOWN_EVERY === 5 ? "unknown" : row % PENDING_EVERY === 3 ? "pending" : "settled";
    const settleAt = state === "pending" ? now + DAY_MS : null;
    insert.run(
      id,
      `req-${id}`,
      `gen-${id}`,
      key,
      `name-${key}`,
      PROVIDERS[row % PROVIDERS.length] ?? "",
      status,
      outcome,
      state,
      row,
      firstByteMs,
      totalMs,
      startedAt,
      startedAt + totalMs,
      settleAt,
    );
  }
}

interface Sums {
  readonly table: "rollups" | "rollups_daily";
  readonly time: "hour" | "day";
  readonly stepMs: number;
  readonly count: number;
  readonly now: number;
}

function insertSums(sqlite: DatabaseSync, { table, time, stepMs, count, now }: Sums): void {
  const insert = sqlite.prepare(
    `insert into ${table} (${time}, key_id, model, provider, endpoint, requests, unknown_requests, prompt_tokens, completion_tokens,
       cached_tokens, cache_write_tokens, reasoning_tokens, prompt_audio_tokens, failed_requests, cancelled_requests, cost_nanodollars,
       byok_nanodollars, first_byte_le_500, first_byte_le_1000, first_byte_le_4000, total_le_4000, total_le_16000, total_above)
     values (?, ?, ?, 'Azure', 'chat/completions', 17, 0, 8120, 1430, 0, 0, 0, 0, 1, 1, ?, 0, 7, 5, 3, 6, 8, 1)`,
  );
  const last = now - (now % stepMs);
  for (let step = count - 1; step >= 0; step--)
    for (let key = 0; key < KEYS; key += time === "hour" && step >= DENSE_HOURS ? SPARSE_EVERY : 1)
      for (let model = 0; model < MODELS; model++)
        insert.run(last - step * stepMs, keyId(key), `vendor/model-${model}`, 1_000 + ((step * model) % 97));
}
