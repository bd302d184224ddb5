import { expect, test } from "vitest";
import { addUpstreamHeaders, type HeaderMap, toUpstreamHeaders } from "../../src/http/headers.ts";

const NOTHING_OF_OURS = { authorization: undefined, referer: undefined, title: undefined };
const OURS = { "user-agent": "sluice", "accept-encoding": "identity" };

test("a caller's header under the former name of the metadata switch is forwarded", () => {
  const given = { "x-openrouter-experimental-metadata": "enabled" };
  expect(toUpstreamHeaders(given, NOTHING_OF_OURS)).toEqual({ ...given, ...OURS });
});

test("without a key of ours none is sent, and the caller's never goes out on its own", () => {
  expect(toUpstreamHeaders({ authorization: "Bearer theirs" }, NOTHING_OF_OURS)).toStrictEqual(OURS);
  expect(toUpstreamHeaders({}, { ...NOTHING_OF_OURS, authorization: "Bearer ours" })).toEqual({
    ...OURS,
    authorization: "Bearer ours",
  });
});

test.each(["a\nb", "a\r\nx-y: z", "a\u0000", "\u007f", "é€", "\nab", "ab\n", "\u001f"])(
  "a value that could split a message, %j, crosses in neither direction",
  (value) => {
    expect(toUpstreamHeaders({ "x-title": value }, NOTHING_OF_OURS)).toEqual(OURS);
    expect(addUpstreamHeaders({}, { "x-title": value })).toEqual({});
    expect(addUpstreamHeaders({}, { link: ["fine", value] })).toEqual({});
  },
);

test.each(["", "a\tb", " ~", "\u0080\u00e9\u00ff"])("the value %j crosses in both directions", (value) => {
  expect(toUpstreamHeaders({ "x-title": value }, NOTHING_OF_OURS)).toEqual({ ...OURS, "x-title": value });
  expect(addUpstreamHeaders({}, { "x-title": value })).toEqual({ "x-title": value });
});

const STOPPED =
  "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade " +
  "content-length set-cookie server via alt-svc date nel report-to reporting-endpoints strict-transport-security " +
  "x-powered-by vary x-request-id server-timing x-accel-buffering cf-ray cf-cache-status access-control-allow-origin " +
  "access-control-expose-headers";

test.each(STOPPED.split(" "))(
  "upstream's %s ends at the gateway, and one of the gateway's own stays",
  (name) => {
    expect(addUpstreamHeaders({}, { [name]: "theirs" })).toEqual({});
    expect(addUpstreamHeaders({ [name]: "ours" }, { [name]: "theirs" })).toEqual({ [name]: "ours" });
  },
);

test("headers that only resemble the stopped ones pass, and win over the gateway's own", () => {
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

test("headers that upstream's connection header names end here, however the list is written", () => {
  const hops = { "x-one": "1", "x-two": "2", "x-three": "3", "x-four": "4", "x-on": "5" };
  expect(addUpstreamHeaders({}, { connection: "X-One,x-two , x-Three,\tx-four", ...hops })).toEqual({
    "x-on": "5",
  });
  const twice = ["x-one, x-two", "x-three,x-four"] as unknown as string;
  expect(addUpstreamHeaders({}, { connection: twice, ...hops })).toEqual({ "x-on": "5" });
  expect(addUpstreamHeaders({}, hops)).toEqual(hops);
});

test("a header that came several times stays several, and the gateway's map is changed in place", () => {
  const answer: HeaderMap = {};
  expect(addUpstreamHeaders(answer, { link: ["a", "b"], etag: undefined })).toBe(answer);
  expect(answer).toEqual({ link: ["a", "b"] });
  expect("etag" in answer).toBe(false);
});
