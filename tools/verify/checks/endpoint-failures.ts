import { type Check, type CheckOutcome, fail, pass, toOutcome } from "../check.ts";
import type { Outgoing } from "../client-call.ts";
import type { Endpoint } from "../endpoints.ts";
import { type Harness, PASSING_MS } from "../harness.ts";
import { type StreamProtocol, WORDS } from "../stream-protocols.ts";
import { beginJson, beginStream, KEEP_ALIVE } from "../upstream-responses.ts";
import {
  checkEndsBroken,
  createBreakingResponder,
  fin,
  judgeEvents,
  NOTICE_MS,
  reset,
  sendBrokenCall,
} from "./broken-call.ts";
import { ABORT_MS, checkAborted, type Leaving } from "./cancel.ts";
import { WRONG_KEY } from "./credentials.ts";
import { buildRequest } from "./endpoint-responses.ts";
import { createErrorCheck, type ErrorCase } from "./error-check.ts";

const WHY_BROKEN =
  "every SDK treats a clean end as success, so a program would store and show an incomplete response";
const EXPECTED_BROKEN = `the client's connection ends within ${NOTICE_MS} ms, before the response is complete by its framing`;

const HALF_RESPONSE_CHARACTERS = 60;

function createCutJsonCheck(endpoint: Endpoint): Check {
  const half = KEEP_ALIVE + endpoint.plainResponse.slice(0, HALF_RESPONSE_CHARACTERS);
  return {
    id: `${endpoint.group}/cut-plain`,
    title: "a plain response that upstream cuts off does not end cleanly",
    why: WHY_BROKEN,
    expected: EXPECTED_BROKEN,
    run: (harness) =>
      checkEndsBroken(
        harness,
        buildRequest(endpoint, harness, false),
        createBreakingResponder(beginJson, half, fin),
      ),
  };
}

function createCancelCheck(endpoint: Endpoint): Check {
  const { group, stream } = endpoint;
  const leaving: Leaving = {
    upstream: (exchange) => {
      if (stream) beginStream(exchange);
      else beginJson(exchange);
      exchange.write(stream ? stream.begin.join("") : KEEP_ALIVE);
    },
    afterBytes: 1,
  };
  return {
    id: `${group}/cancel`,
    title: `${stream ? "a stream" : "a request"} whose client disconnects while upstream is silent is aborted upstream`,
    why: "OpenRouter stops the generation and its charges when the connection is closed",
    expected: `upstream's connection closed within ${ABORT_MS} ms`,
    run: (harness) => checkAborted(harness, buildRequest(endpoint, harness, stream !== undefined), leaving),
  };
}

function listErrors(endpoint: Endpoint): ErrorCase[] {
  const { group, errors: shape } = endpoint;
  const build = (harness: Harness): Outgoing => buildRequest(endpoint, harness, false);
  return [
    {
      id: `${group}/invalid-json`,
      title: "a body that is not JSON is a 400 in the error shape of the API",
      why: "SDKs raise their class for a 400 and show error.message; they retry a 500 twice",
      status: 400,
      shape,
      buildRequest: (harness) => {
        const request = build(harness);
        return { ...request, body: request.body.slice(0, -1) };
      },
    },
    {
      id: `${group}/wrong-key`,
      title: "a wrong key is a 401 in the error shape of the API",
      why: "SDKs raise AuthenticationError for a 401; a request that goes upstream anyway costs money",
      status: 401,
      shape,
      buildRequest: (harness) => ({
        ...build(harness),
        headers: { authorization: `Bearer ${WRONG_KEY}` },
      }),
    },
    {
      id: `${group}/upstream-closed`,
      title: "an upstream that closes without a response is a 502 in the error shape of the API",
      why: "SDKs treat a closed connection as a network error: they retry, and pay again",
      status: 502,
      shape,
      buildRequest: build,
      upstream: (exchange) => exchange.breakConnection(fin),
    },
  ];
}

/** Creates the checks of failures that every endpoint may have. */
export function createFailureChecks(endpoint: Endpoint): readonly Check[] {
  return [
    ...listErrors(endpoint).map(createErrorCheck),
    createCutJsonCheck(endpoint),
    createCancelCheck(endpoint),
  ];
}

/** Sends a stream that upstream cuts off after `extra`, which follows the second text. */
function sendCutStream(harness: Harness, endpoint: Endpoint, extra = "") {
  const bytes = (endpoint.stream?.begin.join("") ?? "") + extra;
  const upstream = createBreakingResponder(beginStream, bytes, fin);
  return sendBrokenCall(harness, buildRequest(endpoint, harness, true), upstream);
}

/** Parses an event of a stream. @returns the value of its line `event:`, and its data if that is JSON. */
function parseEvent(event: string): { name: string | undefined; data: unknown } {
  const name = /^event: ?(.*)$/m.exec(event)?.[1];
  const text = /^data: ?(.*)$/m.exec(event)?.[1] ?? "";
  try {
    return { name, data: JSON.parse(text) };
  } catch {
    return { name, data: undefined };
  }
}

/** Checks that a gateway adds nothing to a stream that was cut off, or only events that state the error. */
function judgeLastEvents(body: string, { isError }: StreamProtocol): CheckOutcome {
  const at = body.indexOf("\n\n", body.lastIndexOf(WORDS[1]));
  if (at < 0) return fail(`the second text is missing: ${JSON.stringify(body)}`);
  const added = body.slice(at + 2);
  if (added === "") return pass("nothing was added");
  const [rest, ...events] = added.split("\n\n").toReversed();
  const wrong = events.find((event) => {
    const { name, data } = parseEvent(event);
    return !isError(name, data);
  });
  return toOutcome(rest === "" && wrong === undefined, `added: ${JSON.stringify(added)}`);
}

function createCutStreamCheck(
  endpoint: Endpoint,
  [name, how, verb]: readonly ["cut" | "reset", typeof fin, string],
): Check {
  const bytes = endpoint.stream?.begin.join("") ?? "";
  return {
    id: `${endpoint.group}/${name}`,
    title: `a stream that upstream ${verb} does not end cleanly`,
    why: WHY_BROKEN,
    expected: EXPECTED_BROKEN,
    run: (harness) =>
      checkEndsBroken(
        harness,
        buildRequest(endpoint, harness, true),
        createBreakingResponder(beginStream, bytes, how),
      ),
  };
}

/** Creates the checks of streams that upstream aborts. */
export function createBrokenStreamChecks(endpoint: Endpoint, protocol: StreamProtocol): readonly Check[] {
  const { endMarks, formatText, errorShape } = protocol;
  const half = formatText("third-word").slice(0, -20);
  return [
    createCutStreamCheck(endpoint, ["cut", fin, "ends without its last chunk"]),
    createCutStreamCheck(endpoint, ["reset", reset, "resets"]),
    {
      id: `${endpoint.group}/no-invented-end`,
      title: `no ${endMarks.join(" or ")} is invented for a stream that was cut off`,
      why: "these events state that the response is complete",
      expected: `no ${endMarks.join(", no ")}`,
      run: async (harness) => {
        const call = await sendCutStream(harness, endpoint);
        return toOutcome(!endMarks.some((mark) => call.response.body.includes(mark)), call.summarize());
      },
    },
    {
      id: `${endpoint.group}/last-event`,
      title: "what is added to a stream that was cut off is an error event of the API",
      why: "clients ignore an event of another API, or fail to parse it, and show no reason for the failure",
      expected: `all texts before the cut, then nothing or ${errorShape}`,
      run: async (harness) => {
        const { status, body } = (await sendCutStream(harness, endpoint)).response;
        if (status >= 500) return pass(`status ${status} instead of the response`);
        return judgeLastEvents(body.toString(), protocol);
      },
    },
    {
      id: `${endpoint.group}/half-event`,
      title: "an incomplete event does not become a complete one",
      why: "bytes that a gateway writes after an incomplete event become part of that event, and cause parser errors or wrong text",
      expected: "the data of every event that ends with an empty line is JSON",
      run: async (harness) => judgeEvents(await sendCutStream(harness, endpoint, half)),
    },
  ];
}

/** The request by which Codex tries a WebSocket first. */
const UPGRADE: Readonly<Record<string, string | undefined>> = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dmVyaWZ5LXZlcmlmeS12ZXI=",
  "openai-beta": "responses_websockets=2026-02-06",
  originator: "codex_exec",
  "content-type": undefined,
  "content-length": undefined,
};

/** Creates the check of a request to open a WebSocket, which only the Responses API has. */
export function createUpgradeCheck({ group, path }: Endpoint): Check {
  return {
    id: `${group}/upgrade`,
    title: "a request to upgrade to a WebSocket is a 426",
    why: "Codex sends its request by HTTP at once after a 426; after other statuses it repeats the upgrade for seconds, or fails",
    expected: "status 426",
    run: async (harness) => {
      const call = harness.send({ path, method: "GET", headers: UPGRADE, body: "" });
      await call.waitForEnd(PASSING_MS);
      return toOutcome(call.response.status === 426, call.summarize());
    },
  };
}
