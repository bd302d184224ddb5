import { type Harness, PASSING_MS } from "../harness.ts";
import { type Check, fail, toOutcome, type CheckOutcome, pass } from "../check.ts";
import { respondError } from "../upstream-responses.ts";
import { findSecret } from "../leaked-secret.ts";
import { createErrorCheck, type ErrorCase } from "./error-check.ts";

/** A key that no gateway accepts. */
export const WRONG_KEY = "sk-verify-wrong-key-0123456789";

/** Sends a chat completion. @returns the part of the upstream request that contains the client's key; undefined if none does. */
async function findKey(
  harness: Harness,
  headers: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const arrived = await harness.waitForUpstream(harness.sendChat({ stream: false, headers }));
  return findSecret(arrived, harness.target.key);
}

/** Checks that a request with these credentials does not reach upstream. */
async function checkRefused(harness: Harness, authorization: string | undefined): Promise<CheckOutcome> {
  const call = harness.sendChat({ stream: false, headers: { authorization } });
  await call.waitForEnd(PASSING_MS);
  return harness.upstreamRequests.length === 0
    ? pass(`refused with ${call.response.status}`)
    : fail(`the request went upstream; the client got ${call.summarize()}`);
}

const ERRORS: readonly ErrorCase[] = [
  {
    id: "credentials/wrong-key-is-401",
    title: "a wrong key is a 401",
    why: "SDKs raise AuthenticationError for a 401, and do not retry",
    status: 401,
    buildRequest: (harness) => ({
      ...harness.buildChat(false),
      headers: { authorization: `Bearer ${WRONG_KEY}` },
    }),
  },
  {
    id: "credentials/no-key-is-401",
    title: "no key is a 401",
    why: "SDKs raise AuthenticationError for a 401, and do not retry",
    status: 401,
    buildRequest: (harness) => ({ ...harness.buildChat(false), headers: { authorization: undefined } }),
  },
  {
    id: "credentials/account-refused",
    title: "upstream's 401 for the account's key is not the client's 401",
    why: "a 401 tells clients that their key is wrong, but the operator's key is",
    status: 502,
    buildRequest: (harness) => harness.buildChat(false),
    upstream: respondError(401, `{"error":{"message":"User not found.","code":401}}`),
  },
];

/** Checks for gateways with an account at upstream: their clients send a gateway key, which upstream does not know. */
export const CREDENTIAL_CHECKS: readonly Check[] = [
  {
    id: "credentials/replaced",
    title: "upstream gets the account's key instead of the client's",
    why: "a gateway key must not be in the logs of another company",
    expected:
      "an Authorization header with another key, and no part of the request that contains the client's key",
    run: async (harness) => {
      const seen = await findKey(harness, {});
      const authorization = harness.upstreamRequests[0]?.exchange.req.headers.authorization;
      if (seen !== undefined) return fail(`the client's key is in ${seen}`);
      return toOutcome(
        authorization !== undefined,
        authorization === undefined ? "no Authorization" : "another key",
      );
    },
  },
  {
    id: "credentials/other-headers",
    title: "the client's key does not reach upstream in other headers",
    why: "tools send the key as x-api-key or api-key as well",
    expected: "no part of the request contains the client's key",
    run: async (harness) => {
      const { key } = harness.target;
      const seen = await findKey(harness, { "x-api-key": key, "api-key": key, "x-goog-api-key": key });
      return seen === undefined ? pass("nowhere") : fail(`the client's key is in ${seen}`);
    },
  },
  {
    id: "credentials/wrong-key",
    title: "a request with a wrong key does not reach upstream",
    why: "the operator would pay for the request",
    expected: "rejected without a request upstream",
    run: (harness) => checkRefused(harness, `Bearer ${WRONG_KEY}`),
  },
  {
    id: "credentials/no-key",
    title: "a request without a key does not reach upstream",
    why: "the operator would pay for the request",
    expected: "rejected without a request upstream",
    run: (harness) => checkRefused(harness, undefined),
  },
  {
    id: "credentials/not-echoed",
    title: "a wrong key is not repeated in the error",
    why: "errors are logged and displayed; a mistyped key differs from the valid key in one character only",
    expected: "a response without the key",
    run: async (harness) => {
      const call = harness.sendChat({ stream: false, headers: { authorization: `Bearer ${WRONG_KEY}` } });
      const { response } = await harness.waitForResponse(call);
      return toOutcome(!response.body.includes(WRONG_KEY), call.summarize());
    },
  },
  ...ERRORS.map(createErrorCheck),
];
