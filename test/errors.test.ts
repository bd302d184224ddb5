import { expect, test } from "vitest";
import { GatewayError } from "../src/errors.ts";

test("an error without a message has the default message of its code", () => {
  const cause = new Error("reset");
  const error = new GatewayError("upstream_disconnected", { cause });
  expect(error).toMatchObject({ status: 502, source: "upstream", param: null, cause });
  expect(error.message).toMatch(/closed the connection before its response was complete/);
});

test("an error has the retry-after header that it is given, or else the default of its code", () => {
  expect(new GatewayError("overloaded", "Too many.").headers).toEqual({ "retry-after": "1" });
  const headers = { "retry-after": "5" };
  expect(new GatewayError("store_unavailable", "No journal.", { headers }).headers).toEqual(headers);
});
