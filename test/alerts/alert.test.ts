import { expect, test } from "vitest";
import {
  createBudgetAlert,
  createCostAlert,
  createUnknownCostAlert,
  toAlertId,
} from "../../src/alerts/alert.ts";

const KEY_MONTH = {
  scope: "key",
  scopeId: "key_1",
  scopeName: "team",
  period: "month",
  startsAt: Date.UTC(2026, 10),
  endsAt: Date.UTC(2026, 11),
  limitNanodollars: 450_000_000,
  spentNanodollars: 360_000_001,
  percent: 80,
} as const;

const RECORD = { id: "0abc1", request_id: "r-1", key_id: "key_1", key_name: "team" };

test("a budget alert states the scope, the period and exact amounts", () => {
  expect(createBudgetAlert(KEY_MONTH)).toEqual({
    id: "budget_threshold:key:key_1:month:1793491200000:450000000:80",
    type: "budget_threshold",
    data: {
      scope: "key",
      scope_id: "key_1",
      scope_name: "team",
      key_id: null,
      period: "month",
      starts_at: "2026-11-01T00:00:00.000Z",
      renews_at: "2026-12-01T00:00:00.000Z",
      limit_usd: "0.450000000",
      spent_usd: "0.360000001",
      percent: 80,
    },
  });
});

test("a budget alert has another id for another limit, period, percentage or end user", () => {
  const alerts = [
    KEY_MONTH,
    { ...KEY_MONTH, limitNanodollars: 1 },
    { ...KEY_MONTH, startsAt: 0 },
    { ...KEY_MONTH, percent: 100 as const },
    { ...KEY_MONTH, scope: "end_user" as const, keyId: "key_1", scopeId: "ann" },
    { ...KEY_MONTH, scope: "end_user" as const, keyId: "key_2", scopeId: "ann" },
  ].map(createBudgetAlert);
  expect(new Set(alerts.map(({ id }) => id)).size).toBe(alerts.length);
});

test("a budget that never renews has no renewal time", () => {
  const { data } = createBudgetAlert({ ...KEY_MONTH, period: "total", startsAt: 0, endsAt: Infinity });
  expect(data).toMatchObject({ period: "total", renews_at: null });
});

test("alerts for costs name the record and its key", () => {
  expect(createCostAlert(RECORD, { reservedNanodollars: 5, costNanodollars: 7 })).toEqual({
    id: "cost_above_reservation:0abc1",
    type: "cost_above_reservation",
    data: {
      record_id: "0abc1",
      request_id: "r-1",
      key_id: "key_1",
      key_name: "team",
      reserved_usd: "0.000000005",
      cost_usd: "0.000000007",
    },
  });
  expect(createUnknownCostAlert(RECORD, 3_600_000)).toEqual({
    id: "unknown_cost:key:key_1:3600000",
    type: "unknown_cost",
    data: {
      record_id: "0abc1",
      request_id: "r-1",
      key_id: "key_1",
      key_name: "team",
      hour: "1970-01-01T01:00:00.000Z",
    },
  });
});

test("an id is a bounded header value without full stops, whatever an end user is called", () => {
  const names = [
    "ann@example.org",
    "Zoë 世界 🎉",
    "a.b",
    "\ud800",
    "x\r\ny: z",
    "%",
    "e".repeat(300),
    "e".repeat(301),
  ];
  const ids = names.map((name) => toAlertId("budget_threshold", "end_user", name));
  for (const id of ids) expect(id).toMatch(/^[\w:/@%-]{1,200}$/);
  expect(new Set(ids).size).toBe(names.length);
  expect(ids[0]).toBe("budget_threshold:end_user:ann@example%2Eorg");
});
