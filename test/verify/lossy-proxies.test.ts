import { expect, test } from "vitest";
import { GROUPS } from "../../tools/verify/catalogue.ts";
import { getGroup } from "../../tools/verify/check.ts";
import type { ProxyFault } from "../support/lossy-proxies.ts";
import { checkProxy, SUITE_TIMEOUT_MS, listFailures } from "../support/run-verify.ts";

const FAILED_BY: Readonly<Record<ProxyFault, readonly string[]>> = {
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
  ],
  "drops-comments": ["answer/comments-before-data", "answer/comments-between-data", "timing/first-comment"],
  "ends-cleanly": [
    "cut/stream-fin",
    "cut/stream-reset",
    "cut/json-fin",
    "cut/json-reset",
    "cut/short-of-length",
  ],
  "never-aborts": [
    "cancel/before-first-byte",
    "cancel/in-silence",
    "cancel/mid-stream",
    "cancel/plain",
    "cancel/plain-waiting",
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
  ],
  "rewords-errors": [
    ...[400, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529].map((status) => `status/${status}`),
    "status/large-metadata",
    "status/odd-spelling",
    "status/stream-asked",
    "status/retry-after-402",
    "status/retry-after-429",
    "status/retry-after-503",
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
  ],
};

test.each(Object.entries(FAILED_BY) as [ProxyFault, string[]][])(
  "a proxy with the fault %s fails exactly the expected checks",
  { timeout: SUITE_TIMEOUT_MS },
  async (fault, ids) => {
    const report = await checkProxy(fault);
    expect(listFailures(report).map((failure) => failure.slice(0, failure.indexOf(":")))).toEqual(ids);
  },
);

test("at least one proxy fails a check of each group", () => {
  const failed = new Set(Object.values(FAILED_BY).flat().map(getGroup));
  expect([...failed].toSorted()).toEqual(GROUPS.toSorted());
});
