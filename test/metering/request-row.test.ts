import { expect, test } from "vitest";
import type { RequestContext } from "../../src/http/request-context.ts";
import { completeRow, toStartEntry, createOpenRow } from "../../src/metering/request-row.ts";
import type { RequestRow } from "../../src/metering/record.ts";

const ENDED_AT = 1_790_000_001_000;

/** Creates the context of an ended request. */
const createContext = (fields: Partial<RequestContext>): RequestContext =>
  ({
    requestId: "r-1",
    keyId: "key_1",
    keyName: "team",
    endpoint: "responses",
    session: "s-1",
    groupId: "grp_1",
    endUser: "ann\0",
    requestedModel: "a/b",
    forwardedModel: "a/b",
    stream: false,
    status: 200,
    outcome: "complete",
    bytesIn: 10,
    bytesOut: 20,
    wasSent: true,
    upstreamStatus: 200,
    isResponseComplete: true,
    startedAt: 100,
    firstByteAt: 110.4,
    endedAt: 150.6,
    ...fields,
  }) as RequestContext;

const RESERVATION = {
  nanodollars: 900,
  reservedIn: "key:day,group:month",
  admittedAt: 1_790_000_000_000,
  end: () => {},
  commit: () => {},
  cancel: () => {},
};

function createRow(fields: Partial<RequestContext>): RequestRow {
  const ended = createContext(fields);
  const row = createOpenRow(
    toStartEntry(ended, { id: "1", startedAt: 1_790_000_000_000, reservation: RESERVATION }),
    "me",
  );
  completeRow(row, ended, ENDED_AT, 500);
  return row;
}

const usage = (costUsd: number | undefined) => ({
  tokens: {
    prompt_tokens: 1,
    completion_tokens: 2,
    cached_tokens: 3,
    cache_write_tokens: 5,
    reasoning_tokens: 4,
    prompt_audio_tokens: 6,
  },
  costUsd,
  isByok: false,
  upstreamInferenceUsd: 0.000_012,
});

const SETTLED: Partial<RequestRow> = { state: "settled", settle_at: null };
const NOT_CHARGED: Partial<RequestRow> = { ...SETTLED, cost_nanodollars: 0, cost_source: "none" };
const PENDING: Partial<RequestRow> = {
  state: "pending",
  cost_nanodollars: null,
  cost_source: null,
  settle_at: ENDED_AT + 500,
};
const UNKNOWN: Partial<RequestRow> = {
  state: "unknown",
  cost_nanodollars: null,
  cost_source: "unknown",
  settle_at: null,
};
const WITH_COST: Partial<RequestContext> = { generationId: "gen-1", usage: usage(0.000_012_3) };
const NO_HEAD = { upstreamStatus: 0, isResponseComplete: false };

test.each<[string, Partial<RequestContext>, Partial<RequestRow>]>([
  [
    "a complete body that states its cost",
    WITH_COST,
    { ...SETTLED, cost_nanodollars: 12_300, cost_source: "body" },
  ],
  [
    "a complete stream",
    { ...WITH_COST, stream: true },
    { ...SETTLED, cost_nanodollars: 12_300, cost_source: "stream" },
  ],
  [
    "a cost of 0",
    { ...WITH_COST, usage: usage(0) },
    { ...SETTLED, cost_nanodollars: 0, cost_source: "body" },
  ],
  ["a response that was truncated after its usage", { ...WITH_COST, isResponseComplete: false }, PENDING],
  ["a response without usage", { generationId: "gen-1" }, PENDING],
  ["usage without a cost", { generationId: "gen-1", usage: usage(undefined) }, PENDING],
  [
    "a client that disconnected",
    { generationId: "gen-1", outcome: "client_gone", isResponseComplete: false },
    PENDING,
  ],
  ["an error with a generation id", { generationId: "gen-1", upstreamStatus: 502, status: 502 }, PENDING],
  ["a refusal", { upstreamStatus: 429, status: 429, isUncharged: true }, NOT_CHARGED],
  [
    "a refusal with a generation id",
    { upstreamStatus: 429, generationId: "gen-1", isUncharged: true },
    PENDING,
  ],
  ...[302, 400, 401, 408, 429, 499, 500, 502, 504, 520, 524].map(
    (upstreamStatus): [string, Partial<RequestContext>, Partial<RequestRow>] => [
      `status ${upstreamStatus} without a body that proves a refusal`,
      { upstreamStatus, status: upstreamStatus },
      UNKNOWN,
    ],
  ),
  ["a response without a generation id", {}, UNKNOWN],
  ["no response", NO_HEAD, UNKNOWN],
  [
    "a request that was never sent",
    { ...NO_HEAD, wasSent: false, outcome: "rejected", status: 503 },
    NOT_CHARGED,
  ],
  [
    "a client that disconnected before the request was sent",
    { ...NO_HEAD, wasSent: false, outcome: "client_gone", status: 0 },
    NOT_CHARGED,
  ],
])("records the right state and cost for %s", (_ending, fields, expected) => {
  expect(createRow(fields)).toMatchObject(expected);
});

test("fills a row from the context of its request", () => {
  expect(createRow({ ...WITH_COST, responseModel: "a/b-1", provider: "Some" })).toEqual({
    id: "1",
    request_id: "r-1",
    generation_id: "gen-1",
    instance: "me",
    key_id: "key_1",
    key_name: "team",
    endpoint: "responses",
    session: "s-1",
    group_id: "grp_1",
    end_user: "ann",
    requested_model: "a/b",
    forwarded_model: "a/b",
    response_model: "a/b-1",
    provider: "Some",
    stream: 0,
    status: 200,
    outcome: "complete",
    state: "settled",
    prompt_tokens: 1,
    completion_tokens: 2,
    cached_tokens: 3,
    cache_write_tokens: 5,
    reasoning_tokens: 4,
    prompt_audio_tokens: 6,
    cost_nanodollars: 12_300,
    cost_source: "body",
    is_byok: 0,
    upstream_inference_nanodollars: 12_000,
    reserved_nanodollars: 900,
    reserved_in: "key:day,group:month",
    first_byte_ms: 10,
    total_ms: 51,
    bytes_in: 10,
    bytes_out: 20,
    started_at: 1_790_000_000_000,
    ended_at: ENDED_AT,
    settle_attempts: 0,
    settle_at: null,
  });
});

test('records a request without a key as "anonymous", and a request without a first byte without first_byte_ms', () => {
  const row = createRow({ keyId: undefined, keyName: undefined, requestedModel: undefined, firstByteAt: 0 });
  expect(row).toMatchObject({
    key_id: "anonymous",
    key_name: "anonymous",
    requested_model: null,
    first_byte_ms: null,
  });
});

test.each([
  ["a\0b\0", "ab"],
  ["a\ud800b", "a\ufffdb"],
  ["\udc00", "\ufffd"],
  [`${"x".repeat(127)}🔑`, `${"x".repeat(127)}\ufffd`],
  ["x".repeat(1_000_000), "x".repeat(128)],
  ["' OR '1'='1", "' OR '1'='1"],
  ["ключ 🔑", "ключ 🔑"],
])("sanitizes text %# for every database", (given, sanitized) => {
  const row = createRow({
    requestedModel: given,
    forwardedModel: given,
    responseModel: given,
    provider: given,
  });
  expect([row.requested_model, row.forwarded_model, row.response_model, row.provider]).toEqual(
    Array(4).fill(sanitized),
  );
});

test.each([1e300, Infinity, Number.NaN, 1e8, 1_000_001, -1])(
  "leaves the cost pending when the response states the invalid cost %s",
  (costUsd) => {
    expect(createRow({ generationId: "gen-1", usage: usage(costUsd) })).toMatchObject(PENDING);
  },
);

test("rounds fractional token counts, and drops counts outside the safe range", () => {
  const tokens = {
    prompt_tokens: 1e300,
    completion_tokens: 1.5,
    cached_tokens: Number.NaN,
    cache_write_tokens: 2 ** 53,
    reasoning_tokens: 0,
  };
  const money = { costUsd: 0, isByok: true, upstreamInferenceUsd: 1e300 };
  expect(createRow({ usage: { tokens, ...money } })).toMatchObject({
    prompt_tokens: null,
    completion_tokens: 2,
    cached_tokens: null,
    cache_write_tokens: null,
    reasoning_tokens: 0,
    is_byok: 1,
    upstream_inference_nanodollars: null,
  });
});

test.each([
  [undefined, null],
  [false, 0],
  [true, 1],
])("records the BYOK field that the response states: %s", (isByok, is_byok) => {
  const stated = { ...usage(0), isByok, upstreamInferenceUsd: 0.25 };
  expect(createRow({ usage: stated })).toMatchObject({
    is_byok,
    upstream_inference_nanodollars: 250_000_000,
  });
});

test.each([
  ["soft budgets has no reservation", "", { reserved_nanodollars: null, reserved_in: null }],
  ["a hard budget has its reservation", "key:day", { reserved_nanodollars: 700, reserved_in: "key:day" }],
])("the record of a request with %s", (_, reservedIn, expected) => {
  const nothing = (): void => {};
  const reservation = {
    nanodollars: 700,
    reservedIn,
    admittedAt: 1_790_000_000_000,
    end: nothing,
    commit: nothing,
    cancel: nothing,
  };
  const entry = toStartEntry(createContext({}), { id: "1", startedAt: reservation.admittedAt, reservation });
  expect(entry).toMatchObject(expected);
});
