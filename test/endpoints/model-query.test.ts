import { expect, test } from "vitest";
import type { GatewayError } from "../../src/errors.ts";
import { MODEL_FILTERS, readModelQuery } from "../../src/endpoints/model-query.ts";

const NOTHING = { filter: "", page: undefined };

test.each([
  "",
  "?",
  "?&",
  "?colour=",
  "?zdr=&q=",
  "?api-version=2026-01-01",
  "?user=bob&user=eve&client_version=1",
])("the query %j has no filter and no page", (query) => {
  expect(readModelQuery(`/openai/v1/models${query}`)).toEqual(NOTHING);
});

test("forwards every filter in alphabetical order, in whatever order the client sends them", () => {
  const pairs = MODEL_FILTERS.map((name) => `${name}=1`);
  const { filter } = readModelQuery(`/models?${pairs.join("&")}`);
  expect(readModelQuery(`/models?${pairs.toReversed().join("&")}&zdr=`)).toEqual({ filter, page: undefined });
  expect([...new URLSearchParams(filter).keys()]).toEqual([...MODEL_FILTERS].toSorted());
});

test.each([
  ["q=a b", "q=a+b"],
  ["q=a%20b", "q=a+b"],
  ["q=%61", "q=a"],
  ["q=a%26zdr%3Dtrue", "q=a%26zdr%3Dtrue"],
  ["q=ä%0d%0a", "q=%C3%A4%0D%0A"],
  ["supported_parameters=tools,seed", "supported_parameters=tools%2Cseed"],
])("forwards the filter %s as %s", (query, filter) => {
  expect(readModelQuery(`/models?${query}`)).toEqual({ filter, page: undefined });
});

test.each([
  ["limit=5", { offset: 0, limit: 5 }],
  ["offset=5", { offset: 5, limit: 500 }],
  ["limit=1000&offset=0", { offset: 0, limit: 1_000 }],
  ["limit=&offset=1", { offset: 1, limit: 500 }],
])("parses %s as a page and does not forward it", (query, page) => {
  expect(readModelQuery(`/models?${query}`)).toEqual({ filter: "", page });
});

function findRefusal(query: string): GatewayError | undefined {
  try {
    readModelQuery(`/models?${query}`);
  } catch (error) {
    return error as GatewayError;
  }
  return undefined;
}

test.each([
  ["colour=red", "colour"],
  ["zdr=true&ZDR=true", "ZDR"],
  ["output_modalities[]=image", "output_modalities[]"],
  ["__proto__=x", "__proto__"],
  ["dryRun=true", "dryRun"],
  ["use_rss=true", "use_rss"],
  ["after_id=a/b", "after_id"],
  ["zdr=true&zdr=true", "zdr"],
  ["limit=1&limit=2", "limit"],
  ["limit=0", "limit"],
  ["limit=1001", "limit"],
  ["limit=1.5", "limit"],
  ["limit=0x10", "limit"],
  ["offset=-1", "offset"],
  ["offset=9999999999999999", "offset"],
])("rejects the query %s and names the parameter", (query, param) => {
  const refusal = findRefusal(query);
  expect(refusal).toMatchObject({ status: 400, code: "invalid_value", param });
  expect(refusal?.message).toContain(param);
});

test.each([["%3Cb%3E=1"], ["=1"], [`${"x".repeat(65)}=1`], [`q=${"x".repeat(1_000)}`]])(
  "rejects the query %s without repeating it in the message",
  (query) => {
    const refusal = findRefusal(query);
    expect(refusal).toMatchObject({ status: 400, code: "invalid_value", param: null });
    expect(refusal?.message).not.toMatch(/<b>|xxx/);
  },
);
