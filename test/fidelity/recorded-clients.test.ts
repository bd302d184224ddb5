import { expect, test } from "vitest";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { RawClient, type RawResponse } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";
import { addPrefix, type ClientRequest, clientRequests } from "./recordings.ts";

const missing = clientRequests.length === 0;
/** A secret that is not a key of the gateway. */
const OTHER_SECRET = "sk-ant-other-0123456789";

const modelRequests = clientRequests.filter(
  ({ method, url }) => method === "POST" && /\/(responses|messages)(\?|$)/.test(url),
);

/** The client's headers that reach upstream, by the last part of the path. No other header of a client does. */
const FORWARDED: Readonly<Record<string, readonly string[]>> = {
  responses: ["accept", "content-type"],
  messages: [
    "accept",
    "content-type",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
  ],
};

/** Headers that the gateway itself sends. */
const OWN_HEADERS = {
  authorization: `Bearer ${ACCOUNT_KEY}`,
  "user-agent": "sluice",
  "accept-encoding": "identity",
};
const CONNECTION_HEADERS = ["host", "connection", "content-length"];

function findEndpoint(url: string): string {
  return url.split("?")[0]?.split("/").at(-1) ?? "";
}

/** Returns the headers of a recorded request with the key of a test's gateway in the header that had the client's key. */
function fillInKey({ headers }: ClientRequest): [name: string, value: string][] {
  return headers.map(([name, value]) => {
    const lower = name.toLowerCase();
    if (lower === "authorization") return [name, `Bearer ${CALLER_KEY}`];
    return [name, lower === "x-api-key" ? CALLER_KEY : value];
  });
}

/** Sends a recorded request with its own spelling and order of headers. */
function sendRecorded(
  port: number,
  { name, method, url, body }: ClientRequest,
  headers: readonly (readonly [name: string, value: string])[],
): Promise<RawResponse> {
  const client = new RawClient(port);
  const lines = headers.map(([header, value]) =>
    header.toLowerCase() === "content-length" ? `${header}: ${body.length}` : `${header}: ${value}`,
  );
  client.send(`${method} ${url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  client.send(body);
  return client.waitForResponse(name);
}

async function startGateway() {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const { port } = await startTestGateway(upstream.baseUrl);
  return { port, upstream };
}

function toExpectedHeaders({ url, headers }: ClientRequest): Record<string, string> {
  const names = FORWARDED[findEndpoint(url)] ?? [];
  const forwarded = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => names.includes(name));
  return { ...Object.fromEntries(forwarded), ...OWN_HEADERS };
}

function omitConnectionHeaders({ headers }: UpstreamRequest): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CONNECTION_HEADERS.includes(name)));
}

test.skipIf(missing)("finds the requests of each client", () => {
  const clients = new Set(modelRequests.map(({ name }) => name.replace(/\.\d+$/, "")));
  expect([...clients].toSorted()).toEqual([
    "anthropic-sdk",
    "claude-code",
    "claude-code-api-key",
    "codex",
    "codex-openai",
    "copilot",
    "copilot-anthropic",
    "openai-sdk",
  ]);
  expect(modelRequests).toHaveLength(26);
});

test.skipIf(missing)(
  "forwards the requests of Claude Code, Codex, Copilot and the SDKs byte for byte, with the documented headers",
  async () => {
    const { port, upstream } = await startGateway();
    for (const request of modelRequests) {
      const { status } = await sendRecorded(port, request, fillInKey(request));
      const arrived = upstream.seen.at(-1);
      if (status !== 200 || arrived === undefined) throw new Error(`${request.name}: status ${status}`);
      const query = request.url.includes("?") ? "?beta=true" : "";
      expect([request.name, arrived.line]).toEqual([
        request.name,
        `POST /api/v1/${findEndpoint(request.url)}${query} HTTP/1.1`,
      ]);
      expect([request.name, arrived.body.equals(request.body)]).toEqual([request.name, true]);
      expect([request.name, omitConnectionHeaders(arrived)]).toEqual([
        request.name,
        toExpectedHeaders(request),
      ]);
    }
    expect(upstream.seen).toHaveLength(modelRequests.length);
  },
);

test.skipIf(missing)(
  "removes only the prefix from the requests of clients whose model has a prefix",
  async () => {
    const { port, upstream } = await startGateway();
    let shortened = 0;
    for (const request of modelRequests) {
      const { clientBody, upstreamBody } = addPrefix({
        name: request.name,
        clientBody: request.body,
        upstreamBody: request.body,
      });
      const { status } = await sendRecorded(port, { ...request, body: clientBody }, fillInKey(request));
      const arrived = upstream.seen.at(-1);
      expect([request.name, status, arrived?.body.equals(upstreamBody)]).toEqual([request.name, 200, true]);
      if (upstreamBody.length < clientBody.length) shortened++;
    }
    // Codex with its built-in provider sends a model without an author.
    expect(shortened).toBe(modelRequests.length - 2);
  },
);

test.skipIf(missing)(
  "forwards neither secret of a client that sends different ones in both headers, whichever is a key of the gateway",
  async () => {
    const { port, upstream } = await startGateway();
    const messages = modelRequests.filter(({ url }) => findEndpoint(url) === "messages");
    for (const request of messages) {
      const others = request.headers.filter(([name]) => !/^(authorization|x-api-key)$/i.test(name));
      for (const [bearer, apiKey] of [
        [CALLER_KEY, OTHER_SECRET],
        [OTHER_SECRET, CALLER_KEY],
      ] as const) {
        const headers = [...others, ["Authorization", `Bearer ${bearer}`], ["x-api-key", apiKey]] as const;
        const { status } = await sendRecorded(port, request, headers);
        const arrived = upstream.seen.at(-1);
        expect([request.name, status, arrived && omitConnectionHeaders(arrived)]).toEqual([
          request.name,
          200,
          toExpectedHeaders(request),
        ]);
      }
    }
    expect(upstream.seen).toHaveLength(2 * messages.length);
  },
);

test.skipIf(missing)(
  "responds to Codex's request for a WebSocket with 426, and sends nothing upstream",
  async () => {
    const { port, upstream } = await startGateway();
    const upgrades = clientRequests.filter(({ headers }) =>
      headers.some(([name]) => name.toLowerCase() === "upgrade"),
    );
    expect(upgrades).toHaveLength(1);
    for (const upgrade of upgrades) {
      const { status } = await sendRecorded(port, upgrade, fillInKey(upgrade));
      expect(status).toBe(426);
    }
    expect(upstream.seen).toEqual([]);
  },
);
