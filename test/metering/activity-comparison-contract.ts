import { expect, test } from "vitest";
import { DAY_MS } from "../../src/durations.ts";
import {
  type ActivityLine,
  compareDay,
  type ComparedSums,
  isEqual,
} from "../../src/metering/activity-comparison.ts";
import { deleteRequestsBefore } from "../../src/metering/sql/retention.ts";
import { createSettledRow, insertRequests, NOVEMBER, type OpenDatabase } from "../support/ledger-rows.ts";

const NO_SUMS: ComparedSums = {
  requests: 0n,
  prompt_tokens: 0n,
  completion_tokens: 0n,
  reasoning_tokens: 0n,
  cost_nanodollars: 0n,
  byok_nanodollars: 0n,
};
const createLine = (model: string, permaslug: string, sums: Partial<ComparedSums>): ActivityLine => ({
  model,
  permaslug,
  ...NO_SUMS,
  ...sums,
});

const ROWS = [
  createSettledRow(0, { forwarded_model: "a/b:nitro", response_model: "a/b-2026" }, 1),
  createSettledRow(1, { forwarded_model: "a/b", response_model: null }, 2),
  // The sum is close to the largest safe integer of JavaScript.
  createSettledRow(2, { forwarded_model: "c/d", response_model: "c/d", cost_nanodollars: 2 ** 52 - 1 }, 3),
  createSettledRow(3, { forwarded_model: "c/d", response_model: "c/d", cost_nanodollars: 2 ** 52 - 2 }, 4),
  createSettledRow(
    DAY_MS - 1,
    {
      forwarded_model: "embed/e",
      response_model: "e-small",
      is_byok: 1,
      upstream_inference_nanodollars: 90,
      reasoning_tokens: 4,
    },
    5,
  ),
  createSettledRow(4, { state: "unknown", cost_nanodollars: null, forwarded_model: "a/b" }, 6),
  createSettledRow(5, { state: "pending", cost_nanodollars: null, settle_at: 0 }, 7),
  createSettledRow(6, { generation_id: null, cost_nanodollars: 0, cost_source: "none" }, 8),
  createSettledRow(
    7,
    { generation_id: null, cost_nanodollars: 0, cost_source: "body", forwarded_model: "free/f" },
    11,
  ),
  createSettledRow(
    8,
    { generation_id: null, cost_nanodollars: 70, cost_source: "operator", forwarded_model: "stated/s" },
    12,
  ),
  createSettledRow(
    9,
    { generation_id: null, cost_nanodollars: 0, cost_source: "operator", forwarded_model: "stated/s" },
    13,
  ),
  createSettledRow(DAY_MS, {}, 9),
  createSettledRow(-1, {}, 10),
];

const LINES = [
  createLine("a/b", "a/b-2026", {
    requests: 3n,
    prompt_tokens: 30n,
    completion_tokens: 15n,
    cost_nanodollars: 5_000n,
  }),
  createLine("c/d", "c/d", {
    requests: 2n,
    prompt_tokens: 20n,
    completion_tokens: 10n,
    cost_nanodollars: 2n ** 53n - 3n,
  }),
  createLine("embed/e", "embed/e", {
    requests: 1n,
    prompt_tokens: 10n,
    completion_tokens: 5n,
    reasoning_tokens: 4n,
    cost_nanodollars: 1_500n,
    byok_nanodollars: 90n,
  }),
  createLine("free/f", "free/f", { requests: 1n, prompt_tokens: 10n, completion_tokens: 5n }),
  createLine("other/key", "other/key", { requests: 1n, cost_nanodollars: 1n }),
  createLine("stated/s", "stated/s", {
    requests: 1n,
    prompt_tokens: 10n,
    completion_tokens: 5n,
    cost_nanodollars: 70n,
  }),
];

/** Tests of the comparison with OpenRouter's activity, for every database. @param open returns an empty database. */
export function activityComparisonContract(open: OpenDatabase): void {
  test.each(["rows", "sums after the rows are deleted"])(
    "compares the %s of one UTC day by the model that OpenRouter names",
    async (source) => {
      const database = await open();
      await insertRequests(database, ROWS);
      const isDeleted = source !== "rows";
      if (isDeleted) await deleteRequestsBefore(database, NOVEMBER + 2 * DAY_MS);
      const dates: string[] = [];
      const deletedBefore = isDeleted ? NOVEMBER + DAY_MS : 0;
      const day = await compareDay({ database, deletedBefore }, NOVEMBER, (date) => {
        dates.push(date);
        return Promise.resolve(LINES);
      });
      expect(dates).toEqual(["2026-11-01"]);
      expect(day).toMatchObject({
        date: "2026-11-01",
        unknownRequests: 1n,
        unfinished: { open: 0, pending: 1 },
        total: { ledger: { requests: 8n, cost_nanodollars: 2n ** 53n - 3n + 4_570n } },
      });
      expect(day.models.map((model) => [model.model, isEqual(model)])).toEqual([
        ["a/b", false],
        ["c/d", true],
        ["embed/e", true],
        ["free/f", true],
        ["other/key", false],
        ["stated/s", true],
      ]);
      expect(day.models[0]?.ledger).toEqual({
        ...NO_SUMS,
        requests: 3n,
        prompt_tokens: 30n,
        completion_tokens: 15n,
        cost_nanodollars: 3_000n,
      });
      expect(day.models[4]?.ledger).toEqual(NO_SUMS);
    },
  );
}
