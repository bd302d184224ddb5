import { expect, test } from "vitest";
import { CHECKS, GROUPS } from "../../tools/verify/catalogue.ts";
import { getGroup } from "../../tools/verify/check.ts";
import { ENDPOINTS } from "../../tools/verify/endpoints.ts";
import type { ProxyFault } from "../support/lossy-proxies.ts";
import { checkProxy, SUITE_TIMEOUT_MS, listFailures } from "../support/run-verify.ts";

const ALL = ENDPOINTS.map(({ group }) => group);
const STREAMING = ENDPOINTS.filter(({ stream }) => stream).map(({ group }) => group);

/** Returns the ids of the checks with these names in each of the groups. */
function inGroups(groups: readonly string[], names: readonly string[]): string[] {
  return groups.flatMap((group) => names.map((name) => `${group}/${name}`));
}

const FAILED_BY: Readonly<Record<Exclude<ProxyFault, "only-chat">, readonly string[]>> = {
  reserialises: [
    "request/big-integers",
    "request/number-spellings",
    "request/huge-exponents",
    "request/whitespace",
    "request/key-order",
    "request/duplicate-keys",
    "request/escaped-slashes",
    "request/escaped-letters",
    "request/escaped-keys",
    "model/spaced",
    "model/escaped-slash",
    "model/escaped-key",
    "answer/keep-alive-whitespace",
    "answer/trailing-whitespace",
    "answer/number-spellings",
    "answer/escapes",
    "answer/error-in-200",
    "answer/with-length",
    "status/odd-spelling",
    "timing/keep-alive",
    ...inGroups(ALL, ["request-bytes", "prefix", "plain", "upstream-error"]),
    ...inGroups(["messages"], ["fallbacks"]),
    ...inGroups(["embeddings"], ["megabytes", "usage-first"]),
  ],
  "drops-comments": [
    "answer/comments-before-data",
    "answer/comments-between-data",
    "timing/first-comment",
    ...inGroups(STREAMING, ["comments", "crlf"]),
  ],
  "ends-cleanly": [
    "cut/stream-fin",
    "cut/stream-reset",
    "cut/json-fin",
    "cut/json-reset",
    "cut/short-of-length",
    ...inGroups(ALL, ["cut-plain"]),
    ...inGroups(STREAMING, ["cut", "reset"]),
  ],
  "never-aborts": [
    "cancel/before-first-byte",
    "cancel/in-silence",
    "cancel/mid-stream",
    "cancel/plain",
    "cancel/plain-waiting",
    ...inGroups(ALL, ["cancel"]),
  ],
  "buffers-responses": [
    "timing/head",
    "timing/first-event",
    "timing/first-comment",
    "timing/every-event",
    "timing/keep-alive",
    "cut/bytes-before",
    "slow-reader/stalls-upstream",
  ],
  "few-headers": [
    "status/retry-after-402",
    "status/retry-after-429",
    "status/retry-after-503",
    "headers/attribution",
    "headers/session",
    "headers/cache",
    "headers/generation-id",
    "headers/stream-generation-id",
    "headers/provider-name",
    ...inGroups(["messages"], ["anthropic-headers", "beta"]),
  ],
  "rewords-errors": [
    ...[400, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529].map((status) => `status/${status}`),
    "status/large-metadata",
    "status/odd-spelling",
    "status/stream-asked",
    "status/retry-after-402",
    "status/retry-after-429",
    "status/retry-after-503",
    ...inGroups(ALL, ["upstream-error"]),
  ],
  "adds-nothing": [
    "model/prefixed",
    "model/prefixed-variant",
    "model/prefixed-author",
    "model/prefixed-alias",
    "model/prefixed-preset",
    "model/prefixed-with-preset",
    "model/list-prefixed",
    "model/spaced",
    "model/escaped-slash",
    "model/escaped-letters",
    "model/escaped-key",
    "model/untouched-text",
    "model/untouched-message",
    "isolation/cookie",
    "isolation/forwarded",
    "isolation/depth",
    "isolation/hop-by-hop",
    "isolation/set-cookie",
    "isolation/cors",
    "isolation/server",
    "isolation/edge",
    "credentials/replaced",
    "credentials/other-headers",
    "credentials/wrong-key",
    "credentials/no-key",
    "credentials/wrong-key-is-401",
    "credentials/no-key-is-401",
    "credentials/account-refused",
    "own-errors/invalid-json",
    "own-errors/unknown-url",
    "own-errors/html-page",
    "own-errors/upstream-closed",
    "own-errors/request-id",
    ...inGroups(ALL, ["prefix", "key", "invalid-json", "wrong-key", "upstream-closed"]),
    ...inGroups(["responses"], ["upgrade"]),
    ...inGroups(["messages"], ["fallbacks", "api-key", "two-keys", "two-keys-reversed"]),
  ],
  "removes-every-prefix": [
    "model/prefixed-author",
    "model/router",
    "model/router-variant",
    "model/router-with-preset",
    "model/stealth",
    "model/empty-author",
    "model/empty-preset",
    "model/three-parts",
    "model/prefix-alone",
    "model/list-prefixed",
    "model/list-kept",
    "model/untouched-plugins",
    "model/untouched-allowed-models",
    "model/untouched-tool-parameters",
    "model/untouched-provider",
    "model/untouched-preset",
    "model/untouched-metadata",
    "model/untouched-text",
    "model/untouched-message",
    ...inGroups(ALL, ["prefix"]),
    ...inGroups(["messages"], ["fallbacks", "other-fallbacks"]),
  ],
  "rewrites-events": [
    "answer/comments-before-data",
    "answer/comments-between-data",
    "answer/debug-chunk",
    "answer/crlf",
    "answer/stream-spellings",
    "timing/first-comment",
    ...inGroups(STREAMING, ["stream", "comments", "event-lines", "crlf", "split", "long-event"]),
    ...inGroups(["messages"], ["error-event", "early-end"]),
  ],
  "invents-ends": [
    "answer/without-done",
    "cut/no-done",
    "cut/half-event",
    ...inGroups(STREAMING, ["error-event", "early-end", "no-invented-end", "last-event", "half-event"]),
  ],
  "chat-errors": [
    "cut/half-event",
    ...inGroups(["responses", "messages"], ["last-event"]),
    ...inGroups(["messages"], ["invalid-json", "wrong-key", "upstream-closed"]),
    ...inGroups(STREAMING, ["half-event"]),
  ],
};

test.each(Object.entries(FAILED_BY) as [ProxyFault, string[]][])(
  "a proxy with the fault %s fails exactly the expected checks",
  { timeout: SUITE_TIMEOUT_MS },
  async (fault, ids) => {
    const report = await checkProxy(fault);
    expect(report.notApplicable).toEqual([]);
    const failed = listFailures(report).map((failure) => failure.slice(0, failure.indexOf(":")));
    expect(failed.toSorted()).toEqual(ids.toSorted());
  },
);

test("at least one proxy fails a check of each group", () => {
  const failed = new Set(Object.values(FAILED_BY).flat().map(getGroup));
  expect([...failed].toSorted()).toEqual(GROUPS.toSorted());
});

test("at least one proxy fails each check of the other endpoints", () => {
  const failed = new Set(Object.values(FAILED_BY).flat());
  const ids = CHECKS.map(({ id }) => id).filter((id) => ALL.includes(getGroup(id)));
  expect(ids.filter((id) => !failed.has(id))).toEqual([]);
});
