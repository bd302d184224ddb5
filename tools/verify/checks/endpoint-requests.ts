import { compareBytes } from "../byte-difference.ts";
import { type Check, type CheckOutcome, fail, pass } from "../check.ts";
import { buildBody, type Endpoint } from "../endpoints.ts";
import type { Harness } from "../harness.ts";
import { findSecret } from "../leaked-secret.ts";
import { WRONG_KEY } from "./credentials.ts";

export type Headers = Readonly<Record<string, string | undefined>>;

const WHY_PREFIX =
  "upstream does not know an id with the prefix; a gateway that parses a body to remove it changes the rest of the body";

/** A body as the client sends it, and as it must reach upstream. */
interface BodyPair {
  readonly sent: string;
  readonly forwarded: string;
}

/** Checks that a body reaches upstream's endpoint of the same name with these bytes. */
export async function checkForwarded(
  harness: Harness,
  { path }: Endpoint,
  { sent, forwarded }: BodyPair,
): Promise<CheckOutcome> {
  const call = harness.send({ path, body: sent });
  const { exchange, body } = await harness.waitForUpstream(call);
  const { url = "" } = exchange.req;
  return url.endsWith(`/v1${path}`)
    ? compareBytes("the request", forwarded, body)
    : fail(`the request reached upstream at ${url}`);
}

function createBytesCheck(endpoint: Endpoint): Check {
  return {
    id: `${endpoint.group}/request-bytes`,
    title: "white space, numbers, escapes, unknown fields and duplicate nested keys of a request stay",
    why: "a gateway that parses a request and serialises it again changes numbers, and caches of prompts miss",
    expected: `upstream gets the client's bytes at ${endpoint.path}`,
    run: (harness) => {
      const body = `\n{ "model" :\t"openai/gpt-4o-mini" ,\r\n ${endpoint.buildInput(harness.marker)} , "x_new" : {"seed":9223372036854775807,"10":[1.0,-0,1E5,1e400],"2":"caf\\u00e9 \\/ \\uD83D","a":1,"a":2,"__proto__":null} } \n`;
      return checkForwarded(harness, endpoint, { sent: body, forwarded: body });
    },
  };
}

function createPrefixCheck(endpoint: Endpoint): Check {
  const [sentModels, forwardedModels] = endpoint.hasModels
    ? [`"models":[ "openrouter/a/b" , "openrouter/auto"] , `, `"models":[ "a/b" , "openrouter/auto"] , `]
    : ["", ""];
  return {
    id: `${endpoint.group}/prefix`,
    title: `the prefix is removed from ${endpoint.hasModels ? "model and models[]" : "model"}, and nothing else changes`,
    why: WHY_PREFIX,
    expected: "upstream gets the client's bytes without the prefix of these ids",
    run: (harness) => {
      const rest = ` , ${endpoint.buildInput(harness.marker)} , "user":"openrouter/openai/x" , "x_new":{"model":"openrouter/openai/x","n":1.0} }`;
      return checkForwarded(harness, endpoint, {
        sent: `{ ${sentModels}"\\u006dodel" : "openrouter\\/openai\\/x"${rest}`,
        forwarded: `{ ${forwardedModels}"\\u006dodel" : "openai\\/x"${rest}`,
      });
    },
  };
}

function createKeyCheck(endpoint: Endpoint): Check {
  return {
    id: `${endpoint.group}/key`,
    title: "upstream gets the account's key instead of the client's",
    why: "a gateway key must not be in the logs of another company",
    expected: "another Authorization, and no part of the request that contains the client's key",
    run: (harness) => checkReplaced(harness, endpoint, {}),
  };
}

/** Checks that a request with these headers reaches upstream with another key, and with none of the client's secrets. */
export async function checkReplaced(
  harness: Harness,
  endpoint: Endpoint,
  headers: Headers,
): Promise<CheckOutcome> {
  const { path } = endpoint;
  const call = harness.send({ path, headers, body: buildBody(endpoint, harness.marker) });
  const arrived = await harness.waitForUpstream(call);
  const seen = findSecret(arrived, harness.target.key);
  if (seen !== undefined) return fail(`the client's key is in ${seen}`);
  const other = findSecret(arrived, WRONG_KEY);
  if (other !== undefined) return fail(`the client's other secret is in ${other}`);
  const { authorization } = arrived.exchange.req.headers;
  return authorization === undefined ? fail("no Authorization") : pass("another key");
}

/** Creates the checks that hold for the requests of every endpoint. */
export function createRequestChecks(endpoint: Endpoint): readonly Check[] {
  return [createBytesCheck(endpoint), createPrefixCheck(endpoint), createKeyCheck(endpoint)];
}
