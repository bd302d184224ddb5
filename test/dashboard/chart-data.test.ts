import { expect, test } from "vitest";
import { findIsolated, snapToSteps, stackValues } from "../../src/dashboard/page/charts/chart-data.ts";

test("stacked series begin where the previous series ends, and steps without a value count as 0", () => {
  expect(
    stackValues([{ values: [1, 2, null] }, { values: [10, null, 30] }, { values: [100, 200, 300] }]),
  ).toEqual([
    [1, 2, 0],
    [11, 2, 30],
    [111, 202, 330],
  ]);
  expect(stackValues([])).toEqual([]);
});

test("values without a neighbour are found, because no line shows them", () => {
  expect(findIsolated([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(findIsolated([null, 7, undefined])).toEqual([1]);
  expect(findIsolated([null])).toEqual([]);
});

test("a selection becomes whole steps inside the chart", () => {
  const chart = { times: [1_000, 1_100, 1_200, 1_300], stepMs: 100 };
  expect(snapToSteps(chart, 1_150, 1_250)).toEqual({ from: 1_100, to: 1_300 });
  expect(snapToSteps(chart, 1_250, 1_150)).toEqual({ from: 1_100, to: 1_300 });
  expect(snapToSteps(chart, 0, 9_999)).toEqual({ from: 1_000, to: 1_400 });
  expect(snapToSteps(chart, 1_120, 1_130)).toEqual({ from: 1_100, to: 1_200 });
});
