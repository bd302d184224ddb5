import { spawn } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { signWebhook } from "../../src/alerts/webhook.ts";
import { parseWebhookSecret } from "../../src/config/webhook-settings.ts";
import { connectWebhook } from "../../src/upstream/webhook.ts";
import { readCodeBlocks } from "../support/documentation.ts";
import { waitUntil } from "../support/wait.ts";
import { WEBHOOK_SECRET } from "../support/webhook-receiver.ts";

const secret = parseWebhookSecret(WEBHOOK_SECRET) ?? Buffer.alloc(0);
const body = Buffer.from('{"id":"unknown_cost:key:key_1:0","type":"unknown_cost","data":{}}');

/** Starts the receiver of the documentation. @returns a function that delivers an alert to it, and its output. */
async function startDocumentedReceiver() {
  const [block] = readCodeBlocks("docs/operations/alerts.md").filter(({ language }) => language === "js");
  const child = spawn(process.execPath, ["--input-type=module"], {
    env: { ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET, PORT: "0" },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.end(block?.text);
  const [, port] = await waitUntil(() => /listening (\d+)/.exec(output), "the receiver to listen");
  const endpoint = connectWebhook(`http://localhost:${port}/alerts`, undefined);
  onTestFinished(() => endpoint.close());
  const deliver = async (headers: Record<string, string>): Promise<number> =>
    (await endpoint.post(body, headers)).status;
  return { deliver, readOutput: () => output };
}

test("the documented receiver accepts genuine alerts, and refuses others", async () => {
  const { deliver, readOutput } = await startDocumentedReceiver();
  const sign = (sentAt: number, key = secret, signed = body) =>
    signWebhook(key, { id: "unknown_cost:key:key_1:0", sentAt, body: signed });
  const genuine = sign(Date.now());
  expect(await deliver(genuine)).toBe(204);
  expect(readOutput()).toContain("alert unknown_cost");
  const forged = [
    {},
    sign(Date.now(), Buffer.alloc(32)),
    sign(Date.now(), secret, Buffer.from("{}")),
    sign(Date.now() - 400_000),
    { ...genuine, "webhook-id": "other" },
    { ...genuine, "webhook-signature": "v1," },
  ];
  const statuses: number[] = [];
  for (const headers of forged) statuses.push(await deliver(headers));
  expect(statuses).toEqual(forged.map(() => 401));
});
