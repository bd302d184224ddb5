import { expect, test } from "vitest";
import { selectsFastModel, toFastModelId } from "../../src/request/fast-model.ts";

test.each([
  ["a/b", "a/b-fast"],
  ["~a/b", "~a/b-fast"],
  ["a/b:nitro", "a/b-fast:nitro"],
  ["a/b@preset/x", "a/b-fast@preset/x"],
  ["a/b-fast", "a/b-fast"],
  ["a/b-fast:nitro", "a/b-fast:nitro"],
])("the fast model of %s is %s", (id, fast) => {
  expect(toFastModelId(id)).toBe(fast);
});

test("every speed except standard selects the fast model", () => {
  expect([undefined, null, "standard"].map(selectsFastModel)).toEqual([false, false, false]);
  expect(["fast", "FAST", "of-tomorrow", 1, ""].map(selectsFastModel)).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
});
