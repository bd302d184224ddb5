import { expect, test } from "vitest";
import { GatewayError } from "../src/errors.ts";

test("an error without a message has the default message of its code", () => {
  const cause = new Error("reset");
  const error = new GatewayError("upstream_disconnected", { cause });
  expect(error).toMatchObject({ status: 502, source: "upstream", param: null, cause });
  expect(error.message).toMatch(/closed the connection before its response was complete/);
});

test("an error has the default retry-after of its code unless the header is given", () => {
  expect(new GatewayError("overloaded", "Too many.").headers).toEqual({ "retry-after": "1" });
  const headers = { "retry-after": "5" };
  expect(new GatewayError("store_unavailable", "No journal.", { headers }).headers).toEqual(headers);
});
