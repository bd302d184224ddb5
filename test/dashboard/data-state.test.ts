import { QueryClient, QueryObserver } from "@tanstack/preact-query";
import { afterEach, expect, test } from "vitest";
import { summarizeQueries } from "../../src/dashboard/page/api/data-state.ts";
import { ApiError } from "../../src/dashboard/page/api/request.ts";

const client = new QueryClient();
afterEach(() => client.clear());

/** Shows data that was read at a time, as a page does. @param error of the last refresh. */
function show(updatedAt: number, refetchInterval: number | false, error?: Error): void {
  const queryKey = [client.getQueryCache().getAll().length];
  client.setQueryData(queryKey, "data", { updatedAt });
  new QueryObserver(client, {
    queryKey,
    refetchInterval,
    staleTime: Infinity,
    queryFn: () => "new",
  }).subscribe(() => undefined);
  if (error) client.getQueryCache().find({ queryKey })?.setState({ error });
}

function summarize(): unknown {
  return summarizeQueries(client.getQueryCache().getAll());
}

test("knows no time before data is read", () => {
  expect(summarize()).toEqual({ updatedAt: 0, isLive: false, isFailing: false });
});

test("states the time of data that is not refreshed", () => {
  show(1_000, false);
  expect(summarize()).toEqual({ updatedAt: 1_000, isLive: false, isFailing: false });
});

test("ignores data that is not refreshed beside data that is", () => {
  show(1_000, 5_000);
  show(9_000, false);
  expect(summarize()).toEqual({ updatedAt: 1_000, isLive: true, isFailing: false });
});

test("fails while the gateway does not respond, but not for an error response", () => {
  show(1_000, 5_000, new ApiError("Invalid cursor.", { status: 400 }));
  expect(summarize()).toMatchObject({ isFailing: false });
  show(2_000, 5_000, new ApiError("The gateway does not respond."));
  expect(summarize()).toEqual({ updatedAt: 2_000, isLive: true, isFailing: true });
});
