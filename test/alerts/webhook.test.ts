import { expect, test } from "vitest";
import { signWebhook } from "../../src/alerts/webhook.ts";
import { parseWebhookSecret } from "../../src/config/webhook-settings.ts";
import { WEBHOOK_SECRET } from "../support/webhook-receiver.ts";

test("signs the id, the time and the body as the libraries of Standard Webhooks do", () => {
  // The test vector of the reference libraries.
  const secret = parseWebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") ?? Buffer.alloc(0);
  const headers = signWebhook(secret, {
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    sentAt: 1_614_265_330_999,
    body: Buffer.from('{"test": 2432232314}'),
  });
  expect(headers).toEqual({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("accepts secrets of 24 to 64 bytes in base64, with or without padding", () => {
  const write = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;
  expect(parseWebhookSecret(WEBHOOK_SECRET)).toHaveLength(32);
  expect(parseWebhookSecret(WEBHOOK_SECRET.replace(/=+$/, ""))).toHaveLength(32);
  expect([24, 64].map((bytes) => parseWebhookSecret(write(bytes))?.length)).toEqual([24, 64]);
  const wrong = [
    write(23),
    write(65),
    write(32).slice(6),
    "",
    "whsec_",
    `${write(32)}!`,
    `whsec_${"ä".repeat(40)}`,
  ];
  expect(wrong.map(parseWebhookSecret)).toEqual(wrong.map(() => undefined));
});
