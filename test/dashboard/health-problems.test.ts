import { expect, test } from "vitest";
import type { HealthJson } from "../../src/admin/health-schema.ts";
import { findProblems, formatAtMost } from "../../src/dashboard/page/health/problems.ts";

const HEALTHY: HealthJson = {
  gateway: {
    version: "1.0.0",
    node: "v26.1.0",
    instance: "a",
    started_at: "2026-01-01T00:00:00.000Z",
    checked_at: "2026-01-01T00:00:01.000Z",
    database: "sqlite",
    is_shutting_down: false,
  },
  components: [
    { name: "database", is_up: true, is_required: true },
    { name: "redis", is_up: true, is_required: false },
  ],
  capacity: {
    in_flight: 1,
    in_flight_limit: 100,
    uploads: 0,
    body_memory_bytes: 0,
    body_memory_limit_bytes: 1_000,
    connections: 3,
    connections_limit: 100,
    dropped_log_lines: null,
  },
  ledger: {
    queue_rows: 0,
    journal_bytes: 0,
    journal_max_bytes: 1_000,
    unknown_costs: 0,
    overruns: 0,
    quarantined_rows: 0,
    open: 1,
    pending: 0,
    unknown: 0,
    oldest_pending_ms: 0,
    backlog_max: 10_000,
  },
  instances: [
    {
      id: "a",
      started_at: "2026-01-01T00:00:00.000Z",
      seen_at: "2026-01-01T00:00:00.000Z",
      is_alive: true,
      is_responding: true,
    },
  ],
  account: { balances: [{ source: "key_limit", remaining_usd: "12.5" }] },
  alerts: { undelivered: 0 },
};
const { capacity, ledger } = HEALTHY;

test("a healthy gateway has no problem, even without an account and without other replicas", () => {
  expect(findProblems(HEALTHY)).toEqual([]);
  expect(findProblems({ ...HEALTHY, account: null })).toEqual([]);
});

test.each<[string, Partial<HealthJson>, string, RegExp]>([
  [
    "a required component",
    { components: [{ name: "database", is_up: false, is_required: true }] },
    "bad",
    /^Database/,
  ],
  [
    "an optional component",
    { components: [{ name: "redis", is_up: false, is_required: false }] },
    "warning",
    /^Redis/,
  ],
  [
    "a component of a newer version",
    { components: [{ name: "new", is_up: false, is_required: false }] },
    "warning",
    /^new/,
  ],
  ["requests near the limit", { capacity: { ...capacity, in_flight: 80 } }, "warning", /80% of the limit/],
  ["connections at the limit", { capacity: { ...capacity, connections: 100 } }, "bad", /100% of the limit/],
  ["a journal near its limit", { ledger: { ...ledger, journal_bytes: 900 } }, "warning", /journal at 90%/],
  ["a rejected record", { ledger: { ...ledger, quarantined_rows: 1 } }, "bad", /rejected/],
  ["an overrun", { ledger: { ...ledger, overruns: 2 } }, "bad", /cost more/],
  ["a late cost", { ledger: { ...ledger, oldest_pending_ms: 3_600_000 } }, "warning", /1 h|60 min/],
  ["many unwritten records", { ledger: { ...ledger, queue_rows: 5_000 } }, "warning", /5,000 records/],
  ["unknown costs", { ledger: { ...ledger, unknown: 10_000 } }, "warning", /10,000 or more/],
  [
    "no money",
    { account: { balances: [{ source: "account_credits", remaining_usd: "-0.1" }] } },
    "bad",
    /used up/,
  ],
  ["undelivered alerts", { alerts: { undelivered: 3 } }, "warning", /3 alerts/],
  ["lost log lines", { capacity: { ...capacity, dropped_log_lines: 1 } }, "warning", /log lines/],
  ["a shutdown", { gateway: { ...HEALTHY.gateway, is_shutting_down: true } }, "warning", /shutting down/],
])("%s is one problem with a remedy", (_name, change, tone, title) => {
  const problems = findProblems({ ...HEALTHY, ...change });
  expect(problems).toEqual([
    { tone, title: expect.stringMatching(title), remedy: expect.stringMatching(/\.$/) },
  ]);
});

test("a silent replica is a problem, and the worst problem is first", () => {
  const [instance] = HEALTHY.instances ?? [];
  const problems = findProblems({
    ...HEALTHY,
    instances: instance ? [instance, { ...instance, id: "b", is_alive: false }] : [],
    ledger: { ...ledger, overruns: 1 },
  });
  expect(problems.map(({ tone }) => tone)).toEqual(["bad", "warning"]);
  expect(problems[1]?.title).toBe("1 replica has no heartbeat for a minute");
});

test("while the database is unavailable, only its component is a problem", () => {
  const problems = findProblems({
    ...HEALTHY,
    components: [{ name: "database", is_up: false, is_required: true }],
    ledger: { ...ledger, open: null, pending: null, unknown: null, oldest_pending_ms: null },
    instances: null,
    alerts: { undelivered: null },
  });
  expect(problems).toHaveLength(1);
});

test("a count at its maximum is stated as a lower bound", () => {
  expect([formatAtMost(9, 10), formatAtMost(10, 10), formatAtMost(null, 10)]).toEqual([
    "9",
    "10 or more",
    "–",
  ]);
});
