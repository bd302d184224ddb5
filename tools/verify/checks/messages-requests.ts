import { type Check, type CheckOutcome, toOutcome } from "../check.ts";
import { buildBody, type Endpoint } from "../endpoints.ts";
import type { Harness } from "../harness.ts";
import { WRONG_KEY } from "./credentials.ts";
import { checkForwarded, checkReplaced, type Headers } from "./endpoint-requests.ts";

const FALLBACKS: readonly [sent: string, forwarded: string] = [
  `[{"model":"openrouter/a/b","max_tokens":1.0}, { "x" : {"model":"openrouter/openai/x"} , "\\u006dodel" :\n"openrouter\\/c\\/d" } , {"model":"openrouter/auto"}, {"model":"e/f"}]`,
  `[{"model":"a/b","max_tokens":1.0}, { "x" : {"model":"openrouter/openai/x"} , "\\u006dodel" :\n"c\\/d" } , {"model":"openrouter/auto"}, {"model":"e/f"}]`,
];

const ANTHROPIC_HEADERS: Headers = {
  "anthropic-version": "2023-06-01",
  "anthropic-beta": "interleaved-thinking-2025-05-14,context-management-2025-06-27",
  "anthropic-dangerous-direct-browser-access": "true",
  "anthropic-x-new": "1",
};

function createFallbackChecks(endpoint: Endpoint): readonly Check[] {
  const { group } = endpoint;
  return [
    {
      id: `${group}/fallbacks`,
      title: "the prefix is removed from fallbacks[].model, in every spelling",
      why: "fallbacks[] names models too, and upstream does not know an id with the prefix",
      expected: "upstream gets the client's bytes without the prefix of these ids",
      run: (harness) => {
        const [sent, forwarded] = FALLBACKS.map((list) =>
          buildBody(endpoint, harness.marker, `, "fallbacks" : ${list}`),
        ) as [string, string];
        return checkForwarded(harness, endpoint, { sent, forwarded });
      },
    },
    {
      id: `${group}/other-fallbacks`,
      title: "nothing in a nested field named fallbacks is changed",
      why: "only the top-level fallbacks names models of the request; all other fields are the client's data",
      expected: "upstream gets the client's bytes",
      run: (harness) => {
        const fields = `,"metadata":{"fallbacks":[{"model":"openrouter/openai/x"}]},"tools":[{"name":"f","input_schema":{"fallbacks":[{"model":"openrouter/openai/x"}]}}]`;
        const body = buildBody(endpoint, harness.marker, fields);
        return checkForwarded(harness, endpoint, { sent: body, forwarded: body });
      },
    },
  ];
}

function createForwardingChecks(endpoint: Endpoint): readonly Check[] {
  const { group, path } = endpoint;
  return [
    {
      id: `${group}/anthropic-headers`,
      title: "headers that begin with anthropic- are forwarded",
      why: "they select the version of the API and its beta features, of which Claude Code uses up to nine",
      expected: "upstream gets the values that the client sent",
      run: async (harness) => {
        const call = harness.send({
          path,
          headers: ANTHROPIC_HEADERS,
          body: buildBody(endpoint, harness.marker),
        });
        const { exchange } = await harness.waitForUpstream(call);
        const wrong = Object.entries(ANTHROPIC_HEADERS)
          .filter(([name, value]) => exchange.req.headers[name] !== value)
          .map(([name]) => `${name}: ${String(exchange.req.headers[name] ?? "(absent)")}`);
        return toOutcome(wrong.length === 0, wrong.length === 0 ? "all of them" : wrong.join("; "));
      },
    },
    {
      id: `${group}/beta`,
      title: "?beta=true reaches upstream",
      why: "Claude Code sends every request with it, and upstream may accept some fields only then",
      expected: `upstream gets ${path}?beta=true`,
      run: async (harness) => {
        const call = harness.send({ path: `${path}?beta=true`, body: buildBody(endpoint, harness.marker) });
        const { url = "" } = (await harness.waitForUpstream(call)).exchange.req;
        return toOutcome(url.endsWith(`${path}?beta=true`), url);
      },
    },
  ];
}

function checkSecrets(harness: Harness, endpoint: Endpoint, secrets: Headers): Promise<CheckOutcome> {
  return checkReplaced(harness, endpoint, { ...ANTHROPIC_HEADERS, ...secrets });
}

function createSecretChecks(endpoint: Endpoint): readonly Check[] {
  const { group } = endpoint;
  return [
    {
      id: `${group}/api-key`,
      title: "a key in x-api-key alone is accepted and replaced",
      why: "Claude Code with ANTHROPIC_API_KEY and many SDKs send their key only in x-api-key",
      expected: "a request upstream with another key, and no part of it that contains the client's key",
      run: (harness) =>
        checkSecrets(harness, endpoint, { authorization: undefined, "x-api-key": harness.target.key }),
    },
    {
      id: `${group}/two-keys`,
      title:
        "a request whose x-api-key is not a key of the gateway is accepted, and neither secret is forwarded",
      why: "Claude Code sends different secrets in both headers if both of its variables are set",
      expected: "a request upstream with another key, and no part of it that contains either secret",
      run: (harness) => checkSecrets(harness, endpoint, { "x-api-key": WRONG_KEY }),
    },
    {
      id: `${group}/two-keys-reversed`,
      title:
        "a request whose bearer token is not a key of the gateway is accepted, and neither secret is forwarded",
      why: "Claude Code sends different secrets in both headers if both of its variables are set",
      expected: "a request upstream with another key, and no part of it that contains either secret",
      run: (harness) =>
        checkSecrets(harness, endpoint, {
          authorization: `Bearer ${WRONG_KEY}`,
          "x-api-key": harness.target.key,
        }),
    },
  ];
}

/** Creates the checks of what only requests to Anthropic's Messages API have. */
export function createMessagesRequestChecks(endpoint: Endpoint): readonly Check[] {
  return [
    ...createFallbackChecks(endpoint),
    ...createForwardingChecks(endpoint),
    ...createSecretChecks(endpoint),
  ];
}
