import { expect, test } from "vitest";
import { addUpstreamHeaders, type HeaderMap, toUpstreamHeaders } from "../../src/http/headers.ts";

const NO_DEFAULTS = { authorization: undefined, referer: undefined, title: undefined };
const OURS = { "user-agent": "sluice", "accept-encoding": "identity" };

test("forwards a client's metadata header, even under its former name", () => {
  const given = { "x-openrouter-experimental-metadata": "enabled" };
  expect(toUpstreamHeaders(given, NO_DEFAULTS)).toEqual({ ...given, ...OURS });
});

test("sends only the gateway's own key upstream, and never the client's", () => {
  expect(toUpstreamHeaders({ authorization: "Bearer theirs" }, NO_DEFAULTS)).toStrictEqual(OURS);
  expect(toUpstreamHeaders({}, { ...NO_DEFAULTS, authorization: "Bearer ours" })).toEqual({
    ...OURS,
    authorization: "Bearer ours",
  });
});

test.each(["a\nb", "a\r\nx-y: z", "a\u0000", "\u007f", "é€", "\nab", "ab\n", "\u001f"])(
  "forwards the value %j, which could split a message, in neither direction",
  (value) => {
    expect(toUpstreamHeaders({ "x-title": value }, NO_DEFAULTS)).toEqual(OURS);
    expect(addUpstreamHeaders({}, { "x-title": value })).toEqual({});
    expect(addUpstreamHeaders({}, { link: ["fine", value] })).toEqual({});
  },
);

test.each(["", "a\tb", " ~", "\u0080\u00e9\u00ff"])("forwards the value %j in both directions", (value) => {
  expect(toUpstreamHeaders({ "x-title": value }, NO_DEFAULTS)).toEqual({ ...OURS, "x-title": value });
  expect(addUpstreamHeaders({}, { "x-title": value })).toEqual({ "x-title": value });
});

const BLOCKED =
  "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade " +
  "content-length set-cookie server via alt-svc date nel report-to reporting-endpoints strict-transport-security " +
  "x-powered-by vary x-request-id server-timing x-accel-buffering cf-ray cf-cache-status access-control-allow-origin " +
  "access-control-expose-headers";

test.each(BLOCKED.split(" "))("does not relay upstream's header %s, and keeps the gateway's own", (name) => {
  expect(addUpstreamHeaders({}, { [name]: "theirs" })).toEqual({});
  expect(addUpstreamHeaders({ [name]: "ours" }, { [name]: "theirs" })).toEqual({ [name]: "ours" });
});

test("relays headers whose names only resemble blocked names, and replaces the gateway's own with them", () => {
  const passing = {
    "x-cf-ray": "1",
    cf: "2",
    "x-access-control-": "3",
    "server-timings": "4",
    "cache-control": "no-store",
  };
  expect(addUpstreamHeaders({ "cache-control": "private", "x-ours": "5" }, passing)).toEqual({
    ...passing,
    "x-ours": "5",
  });
});

test("does not relay headers that upstream's connection header names, however the list is written", () => {
  const hops = { "x-one": "1", "x-two": "2", "x-three": "3", "x-four": "4", "x-on": "5" };
  expect(addUpstreamHeaders({}, { connection: "X-One,x-two , x-Three,\tx-four", ...hops })).toEqual({
    "x-on": "5",
  });
  const twice = ["x-one, x-two", "x-three,x-four"] as unknown as string;
  expect(addUpstreamHeaders({}, { connection: twice, ...hops })).toEqual({ "x-on": "5" });
  expect(addUpstreamHeaders({}, hops)).toEqual(hops);
});

test("keeps repeated headers separate, and adds them to the given map", () => {
  const headers: HeaderMap = {};
  expect(addUpstreamHeaders(headers, { link: ["a", "b"], etag: undefined })).toBe(headers);
  expect(headers).toEqual({ link: ["a", "b"] });
  expect("etag" in headers).toBe(false);
});
