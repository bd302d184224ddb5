import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { GROUPS } from "../../tools/verify/catalogue.ts";
import { describeMissing } from "../../tools/verify/missing-endpoint.ts";
import { formatReport } from "../../tools/verify/report-text.ts";
import { GatewayUnreachable, runChecks } from "../../tools/verify/run.ts";
import { PROXY_KEY, startProxy } from "../support/lossy-proxies.ts";
import { startVerifySimulator } from "../support/run-verify.ts";

const key = PROXY_KEY;

/** Starts a server that handles each connection with `onConnection`. */
async function listen(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/openai/v1`;
}

test("throws GatewayUnreachable when the gateway does not listen", async () => {
  const gateway = "http://127.0.0.1:9/openai/v1";
  const run = runChecks({ gateway, key, simulator: await startVerifySimulator() });
  await expect(run).rejects.toThrow(GatewayUnreachable);
  await expect(run).rejects.toThrow("ECONNREFUSED");
});

test("gives up on a gateway that never responds", { timeout: 60_000 }, async () => {
  const gateway = await listen(() => {});
  await expect(runChecks({ gateway, key, simulator: await startVerifySimulator() })).rejects.toThrow(
    "no response",
  );
});

test("reports a gateway that does not speak HTTP", async () => {
  const gateway = await listen((socket) => socket.end("220 mail ESMTP\r\n\r\n"));
  const run = runChecks({ gateway, key, simulator: await startVerifySimulator() });
  await expect(run).rejects.toThrow("220 mail ESMTP");
});

test("reports a wrong key before any check runs", async () => {
  const simulator = await startVerifySimulator();
  const gateway = await startProxy(simulator.baseUrl);
  await expect(runChecks({ gateway, key: "sk-other", simulator })).rejects.toThrow("status 401");
});

test("fails the remaining checks when the time for the run is used up", async () => {
  const simulator = await startVerifySimulator();
  const gateway = await startProxy(simulator.baseUrl);
  const only = ["timing/head", "cancel/plain", "cut/no-done"];
  const report = await runChecks({ gateway, key, simulator, only, deadlineMs: 700 });
  expect(report.results.map(({ got }) => got)).toEqual([
    expect.stringMatching(/^no verdict within \d+/),
    "not tried: the time for the whole run was used up",
    "not tried: the time for the whole run was used up",
  ]);
  expect(report.ms).toBeLessThan(2_000);
});

test("runs selected checks and skips groups", async () => {
  const simulator = await startVerifySimulator();
  const gateway = await startProxy(simulator.baseUrl, "reserialises");
  const only = ["request/whitespace", "request/raw-utf8", "model/bare"];
  const seen: string[] = [];
  const report = await runChecks({
    gateway,
    key,
    simulator,
    only,
    skip: ["model"],
    onResult: ({ id }) => seen.push(id),
  });
  expect(seen).toEqual(["request/whitespace", "request/raw-utf8"]);
  expect(report).toMatchObject({ passed: 1, total: 2, skipped: ["model"] });
});

test("the text report shows the expectation, the result and the reason of each failed check", async () => {
  const simulator = await startVerifySimulator();
  const gateway = await startProxy(simulator.baseUrl, "reserialises");
  const only = ["request/big-integers", "request/raw-utf8"];
  const text = formatReport(await runChecks({ gateway, key, simulator, only, skip: ["model"] }));
  expect(text).toMatch(/^FAIL {2}request\/big-integers +\d+ ms {2}integers beyond/m);
  expect(text).toMatch(/^ok {4}request\/raw-utf8 /m);
  expect(text).toMatch(/^ {2}expected {2}upstream gets the bytes that the client sent$/m);
  expect(text).toMatch(
    /^ {2}got {7}the request differs from byte \d+ on .*9223372036854775807.*9223372036854776000/m,
  );
  expect(text).toMatch(/^ {2}why {7}openai-python sends/m);
  expect(text).toMatch(/^ {2}request +1 of 2$/m);
  expect(text).toMatch(/^ {2}model +skipped$/m);
  expect(text).toContain(`1 of 2 checks passed by ${gateway}`);
});

test("reports the groups of endpoints that the gateway does not have as not applicable, and does not run them", async () => {
  const simulator = await startVerifySimulator();
  const gateway = await startProxy(simulator.baseUrl, "only-chat");
  const skip = GROUPS.filter((group) => !["isolation", "messages", "responses", "rerank"].includes(group));
  const report = await runChecks({ gateway, key, simulator, skip: [...skip, "rerank"] });
  expect(report).toMatchObject({
    passed: 8,
    total: 8,
    notApplicable: [
      { group: "responses", got: expect.stringContaining("status 404") as string },
      { group: "messages", got: expect.stringContaining("status 404") as string },
    ],
  });
  const text = formatReport(report);
  expect(text).toMatch(
    /^ {2}messages +not applicable, the gateway has no such endpoint \(status 404: .*No such path/m,
  );
  expect(text).toMatch(/^ {2}rerank +skipped$/m);
  expect(text).toContain("8 of 8 checks passed");
});

test.each([
  [404, "", true],
  [405, "", true],
  [501, "", true],
  [400, `{"error":{"code":"unsupported_endpoint","message":"This gateway has no Responses API."}}`, true],
  [400, `{"error":{"message":"/v1/rerank is not supported"}}`, true],
  [400, `{"error":{"message":"input is missing"}}`, false],
  [401, `{"error":{"message":"unsupported"}}`, false],
  [500, "", false],
  [200, "", false],
])("takes a %d with the body %j for a missing endpoint: %s", (status, body, isMissing) => {
  expect(describeMissing({ status, body: Buffer.from(body) }) !== undefined).toBe(isMissing);
});

test("every check has a group and a description", async () => {
  const { CHECKS } = await import("../../tools/verify/catalogue.ts");
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
  for (const { id, title, why, expected } of CHECKS) {
    expect(id).toMatch(/^[a-z-]+\/[a-z0-9-]+$/);
    expect(Math.min(title.length, why.length, expected.length)).toBeGreaterThan(5);
  }
  expect(GROUPS).toHaveLength(17);
});
