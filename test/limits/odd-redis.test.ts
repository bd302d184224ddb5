import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { startFakeRedis } from "../support/fake-redis.ts";
import { startTestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const READY = { method: "GET", path: "/readyz", body: "" };
const TEXT = "hunter2 of the Redis";

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const error = (code: string): string => `-${code} ${TEXT}\r\n`;

/** Starts a fake Redis that sends these replies, and a gateway with this Redis and a limit of two requests per window. */
async function startWithReplies(replies: Record<string, string>) {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const redis = await startFakeRedis(replies);
  const gateway = await startTestGateway(upstream.baseUrl, { REDIS_URL: redis.url, RATE_LIMIT_MAX: "2" });
  await waitUntil(() => redis.commands.some(([name]) => name === "INFO"), "the gateway to reach Redis");
  const readiness = async (): Promise<unknown> => {
    const { status, body } = await sendRequest(gateway.port, READY);
    return [status, (JSON.parse(body.toString()) as { degraded: unknown }).degraded];
  };
  return { gateway, redis, readiness };
}

const replyToCounts = (reply: string) => ({ EVAL: reply, EVALSHA: reply });

test.each<[string, string, unknown]>([
  ["nil", "$-1\r\n", "UNEXPECTED_REPLY"],
  ["a nil array", "*-1\r\n", "UNEXPECTED_REPLY"],
  ["no array", ":1\r\n", "UNEXPECTED_REPLY"],
  ["a status", "+OK\r\n", "UNEXPECTED_REPLY"],
  ["an empty array", "*0\r\n", "UNEXPECTED_REPLY"],
  ["one number", "*1\r\n:1\r\n", "UNEXPECTED_REPLY"],
  ["three numbers", "*3\r\n:1\r\n:1000\r\n:1\r\n", "UNEXPECTED_REPLY"],
  ["nils", "*2\r\n$-1\r\n$-1\r\n", "UNEXPECTED_REPLY"],
  ["texts", `*2\r\n${bulk("1")}${bulk("1000")}`, "UNEXPECTED_REPLY"],
  ["words", `*2\r\n${bulk(TEXT)}${bulk(TEXT)}`, "UNEXPECTED_REPLY"],
  ["a fraction", `*2\r\n${bulk("1.5")}:1000\r\n`, "UNEXPECTED_REPLY"],
  ["a negative count", "*2\r\n:-1\r\n:1000\r\n", "UNEXPECTED_REPLY"],
  ["a count of zero", "*2\r\n:0\r\n:1000\r\n", "UNEXPECTED_REPLY"],
  ["a huge count", "*2\r\n:9223372036854775807\r\n:1000\r\n", "UNEXPECTED_REPLY"],
  ["no time to live", "*2\r\n:1\r\n:-1\r\n", "UNEXPECTED_REPLY"],
  ["a key that is gone", "*2\r\n:1\r\n:-2\r\n", "UNEXPECTED_REPLY"],
  ["a time to live beyond the window", "*2\r\n:1\r\n:60001\r\n", "UNEXPECTED_REPLY"],
  ["nested arrays", "*2\r\n*1\r\n:1\r\n*1\r\n:1000\r\n", "UNEXPECTED_REPLY"],
  ["an array in an array", "*1\r\n*2\r\n:1\r\n:1000\r\n", "UNEXPECTED_REPLY"],
  ["an error in an array", `*2\r\n-ERR ${TEXT}\r\n:1000\r\n`, "UNEXPECTED_REPLY"],
  ["two replies", "*2\r\n:1\r\n:-5\r\n*2\r\n:1\r\n:-5\r\n", expect.any(String)],
  ["another protocol", `HTTP/1.1 400 ${TEXT}\r\n\r\n`, expect.any(String)],
  ...["READONLY", "OOM", "LOADING", "NOAUTH", "WRONGTYPE", "NOSCRIPT", "MOVED", "ERR", "BUSY"].map(
    (code): [string, string, string] => [code, error(code), code],
  ),
  ["an error without a code", `-${TEXT}\r\n`, "ERR"],
  ["an empty error", "-\r\n", "ERR"],
])("the gateway treats Redis as failed if Redis replies to EVAL with %s", async (_, reply, cause) => {
  const { gateway } = await startWithReplies(replyToCounts(reply));
  const responses = [];
  for (let sent = 0; sent < 4; sent++) responses.push(await sendRequest(gateway.port));
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
  expect(responses[1]?.headers).toMatchObject({
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": "60",
  });
  const warnings = gateway.logs.filter(({ msg }) => String(msg).startsWith("redis"));
  expect(warnings.length).toBe(1);
  expect(warnings[0]).toMatchObject({ level: 40, cause });
  expect(JSON.stringify([gateway.logs, responses.map(({ body }) => body.toString())])).not.toContain(
    "hunter2",
  );
});

test("a valid count from Redis takes precedence over the count of this process", async () => {
  const { gateway, redis } = await startWithReplies(replyToCounts("*2\r\n:3\r\n:1500\r\n"));
  const response = await sendRequest(gateway.port);
  expect(response.status).toBe(429);
  expect(response.headers).toMatchObject({ "retry-after": "2", "retry-after-ms": "1500" });
  const command = redis.commands.find(([name]) => name?.startsWith("EVAL"));
  expect(command?.slice(2)).toEqual(["1", "sluice:rate:key:key:env:team", "60000"]);
});

test.each([
  ["nil", "$-1\r\n"],
  ["an array", "*2\r\n+PONG\r\n+PONG\r\n"],
  ["a number", ":1\r\n"],
  ["another word", "+PANG\r\n"],
  ["an error", error("NOAUTH")],
  ["nothing", ""],
])(
  "/readyz responds with 200 and lists Redis as degraded if Redis replies to PING with %s",
  async (_, reply) => {
    const { readiness } = await startWithReplies({ PING: reply });
    expect(await readiness()).toEqual([200, ["redis"]]);
  },
);
