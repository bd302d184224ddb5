import { spawn } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

const HEALTH = { method: "GET", path: "/healthz", body: "" };
const MANY = 400;

/** Starts a gateway that may open at most 256 files. */
async function startWithFewFiles(env: Record<string, string> = {}) {
  const command = `ulimit -n 256; exec "${process.execPath}" src/server.ts`;
  const child = spawn("sh", ["-c", command], {
    env: { PORT: "0", OPENROUTER_API_KEY: ACCOUNT_KEY, ALLOW_ANONYMOUS: "true", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let log = "";
  child.stdout.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const found = await waitUntil(
    () => /"url":"http:\/\/[\d.]+:(\d+)/.exec(log),
    "the gateway to listen",
    10_000,
  );
  return { child, port: Number(found[1]), log: () => log };
}

test("the gateway serves requests although idle clients open more connections than its limit of open files allows", async () => {
  const { port, log } = await startWithFewFiles();
  const idle = Array.from({ length: MANY }, () => new RawClient(port));
  await waitUntil(
    () => idle.filter(({ isClosed }) => isClosed).length >= MANY - 96,
    "the oldest connections to be closed",
  );
  for (let count = 0; count < 5; count++) expect((await sendRequest(port, HEALTH)).status).toBe(200);
  await waitUntil(() => log().includes('"max_connections":96'), "the log line");
  expect(log()).not.toContain("MAX_CONNECTIONS exceeds");
});

test("the gateway warns at start that its file limit is too low, and serves requests again after it has run out of files", async () => {
  const { child, port, log } = await startWithFewFiles({ MAX_CONNECTIONS: "10000" });
  expect(log()).toContain('"open_files_limit":256,"fitting":96');
  expect(log()).toContain("connections: MAX_CONNECTIONS exceeds the open files limit");
  const clients = Array.from({ length: MANY }, () => new RawClient(port));
  await waitUntil(
    () => clients.filter(({ isClosed }) => isClosed).length >= MANY - 256,
    "the other connections to be closed",
  );
  for (const { socket } of clients) socket.destroy();
  await waitUntil(
    () =>
      sendRequest(port, HEALTH).then(
        ({ status }) => status === 200,
        () => false,
      ),
    "a response",
  );
  expect(child.exitCode).toBeNull();
});
