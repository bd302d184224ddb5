import { expect, test } from "vitest";
import { ask } from "../support/ask.ts";
import { startTestGateway } from "../support/gateway.ts";
import { responseBytes, startScriptedUpstream } from "../support/scripted-upstream.ts";

const PAGE = "https://app.example";
const preflight = (origin: string) => ({
  method: "OPTIONS",
  body: "",
  headers: {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,x-stainless-os",
    authorization: undefined,
  },
});

test("a page of a listed origin may call, and may read the ids of its request", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(responseBytes(200, { "content-type": "application/json", vary: "Accept" }, "{}")),
  );
  const gateway = await startTestGateway(upstream.baseUrl, { CORS_ORIGINS: `https://other.example,${PAGE}` });
  const allowed = await ask(gateway.port, preflight(PAGE));
  expect(allowed.status).toBe(204);
  expect(allowed.headers).toMatchObject({
    "access-control-allow-origin": PAGE,
    "access-control-allow-headers": "authorization,x-stainless-os",
    "access-control-max-age": "600",
  });
  expect(allowed.headers["access-control-allow-credentials"]).toBeUndefined();
  for (const headers of [{ origin: PAGE }, { origin: PAGE, authorization: "Bearer sk-wrong" }]) {
    const answer = await ask(gateway.port, { headers });
    expect(answer.headers["access-control-allow-origin"]).toBe(PAGE);
    expect(answer.headers["vary"]).toMatch(/Origin/i);
    expect(answer.headers["access-control-expose-headers"]).toMatch(/x-request-id.*x-generation-id/);
  }
});

test.each(["https://evil.example", "null", `${PAGE}.evil.example`, "http://app.example"])(
  "a page of %s may not call",
  async (origin) => {
    const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { CORS_ORIGINS: PAGE });
    expect(
      (await ask(gateway.port, preflight(origin))).headers["access-control-allow-origin"],
    ).toBeUndefined();
  },
);

test("without CORS_ORIGINS nothing about origins is said", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
  const answer = await ask(gateway.port, preflight(PAGE));
  expect(answer.status).toBe(405);
  expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});
