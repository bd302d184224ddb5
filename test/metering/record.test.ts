import { expect, test } from "vitest";
import { OUTCOMES, parseRowIdTime, toRowIdPrefix } from "../../src/metering/record.ts";
import { isFailed } from "../../src/metering/request-results.ts";

test("a request has failed if an error or the death of its process ended it, and not if its client cancelled it", () => {
  expect(OUTCOMES.filter((outcome) => isFailed({ outcome, status: 200 }))).toEqual([
    "upstream_error",
    "rejected",
    "interrupted",
  ]);
  expect(isFailed({ outcome: "complete", status: 429 })).toBe(true);
  expect(isFailed({ outcome: null, status: 200 })).toBe(false);
});

test("the id of a record states when its request started", () => {
  for (const ms of [0, 1, 1_790_000_000_123, Date.UTC(5188, 0)])
    expect(parseRowIdTime(`${toRowIdPrefix(ms)}abc001`)).toBe(ms);
});
