import { expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { sendRequest } from "../support/send-request.ts";

const NOWHERE = "http://127.0.0.1:9/api/v1";
const NO_KEY = { authorization: undefined, "content-type": undefined, "content-length": undefined };

test.each(["/", "/anthropic", "/anthropic/", "/?x=1"])(
  "GET %s states the base URLs without a key",
  async (path) => {
    const gateway = await startKeyedGateway(NOWHERE);
    const origin = `http://127.0.0.1:${gateway.port}`;
    const headers = { ...NO_KEY, host: `127.0.0.1:${gateway.port}` };
    const { status, body } = await sendRequest(gateway.port, { method: "GET", path, headers, body: "" });
    expect([status, JSON.parse(body.toString())]).toEqual([
      200,
      {
        name: "Sluice",
        description: expect.stringContaining("OpenRouter"),
        base_urls: { openai: `${origin}/openai/v1`, anthropic: `${origin}/anthropic` },
        documentation: `${origin}/docs`,
        dashboard: `${origin}/dashboard`,
      },
    ]);
    expect(body.toString()).not.toMatch(/\d+\.\d+\.\d+(?!\.\d|:)/);
  },
);

test.each(["/", "/anthropic"])(
  "HEAD %s, which Claude Code sends first, gets 200 without a body",
  async (path) => {
    const gateway = await startTestGateway(NOWHERE);
    const client = new RawClient(gateway.port);
    client.send(`HEAD ${path} HTTP/1.1\r\nhost: g\r\nuser-agent: Bun/1.4.0\r\nconnection: close\r\n\r\n`);
    const response = await client.waitForEnd("HEAD");
    expect([response?.status, response?.body.length]).toEqual([200, 0]);
  },
);

test("a gateway without a database names no documentation page, and other methods get 405", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const root = await sendRequest(gateway.port, { method: "GET", path: "/", headers: NO_KEY, body: "" });
  expect(JSON.parse(root.body.toString())).not.toHaveProperty("documentation");
  const post = await sendRequest(gateway.port, { path: "/" });
  expect([post.status, post.headers["allow"]]).toEqual([405, "GET, HEAD"]);
});
