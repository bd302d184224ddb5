import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH } from "../support/chat-request.ts";
import { CALLER_KEY } from "../support/gateway.ts";
import { waitForPort, runNode } from "../support/run-node.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const MEBIBYTE = 1_048_576;
const UPLOADS = 18;
const UPLOAD_BYTES = 60 * MEBIBYTE;
const BUDGET_BYTES = 256 * MEBIBYTE;
const OTHER_KEY = "sk-other-0123456789";

test("keeps eighteen unfinished uploads of 60 MiB within the memory budget, and serves other clients", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const gateway = runNode("src/server.ts", {
    PORT: "0",
    OPENROUTER_API_KEY: "sk-or-account",
    GATEWAY_API_KEYS: `team:${CALLER_KEY},other:${OTHER_KEY}`,
    OPENROUTER_BASE_URL: upstream.baseUrl,
    BODY_MEMORY_BYTES: String(BUDGET_BYTES),
  });
  const port = await waitForPort(gateway);
  const readPeakBytes = (): number =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.child.pid}/status`, "utf8"))?.[1]) * 1_024;
  const before = readPeakBytes();
  const block = Buffer.alloc(MEBIBYTE, 0x20);
  const clients = Array.from({ length: UPLOADS }, () => new RawClient(port));
  for (const client of clients)
    client.send(
      `POST ${CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n` +
        `authorization: ${AUTHORIZATION.authorization}\r\ncontent-length: ${UPLOAD_BYTES}\r\n\r\n`,
    );
  // Sends one block of each upload in turn, so that all uploads hold as much memory as possible.
  for (let sent = 0; sent < UPLOAD_BYTES - MEBIBYTE; sent += MEBIBYTE) {
    const open = clients.filter((client) => !client.readResponse());
    for (const client of open) client.send(block);
    await waitUntil(
      () =>
        open.every(
          (client) => client.isClosed || client.readResponse() || client.socket.writableLength === 0,
        ),
      "the blocks to be sent",
      20_000,
    );
  }
  const unfinished = clients.filter((client) => !client.readResponse());
  expect(unfinished.length).toBeGreaterThan(0);
  expect(
    clients.every((client) => unfinished.includes(client) || client.readResponse()?.status === 503),
  ).toBe(true);
  expect((await sendRequest(port, { headers: { authorization: `Bearer ${OTHER_KEY}` } })).status).toBe(200);
  // The bound is higher than the budget, because refused or copied bytes may wait for the garbage collector.
  expect(readPeakBytes() - before).toBeLessThan(2.5 * BUDGET_BYTES);
}, 120_000);
