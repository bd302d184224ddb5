import { expect, test } from "vitest";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const OTHER_KEY = "sk-other-0123456789";
/**
 * A list that is larger than the kernel's buffers for a client that reads nothing. One caller may hold a quarter of
 * 128 MiB, which is enough for two lists.
 */
const LIST = JSON.stringify({
  data: Array.from({ length: 400 }, (_, index) => ({ id: `a/${index}`, description: "x".repeat(32_000) })),
});
/** The gateway builds a new page for each response. All responses with the whole list share one Buffer. */
const PAGE = "/openai/v1/models?offset=0&limit=400";
const WHOLE = "/openai/v1/models";

async function start() {
  const upstream = await startScriptedUpstream((socket) =>
    socket.end(formatResponse(200, { "content-type": "application/json", connection: "close" }, LIST)),
  );
  const gateway = await startTestGateway(upstream.baseUrl, {
    GATEWAY_API_KEYS: `team:${CALLER_KEY},other:${OTHER_KEY}`,
  });
  const get = async (path: string, key = CALLER_KEY): Promise<RawClient> => {
    const client = new RawClient(gateway.port);
    client.socket.once("data", () => client.socket.pause());
    client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`);
    await waitUntil(() => client.readResponse(), `the head of ${path}`);
    return client;
  };
  const getTimes = async (times: number, path: string): Promise<RawClient[]> => {
    const clients: RawClient[] = [];
    for (let count = 0; count < times; count++) clients.push(await get(path));
    return clients;
  };
  return { get, getTimes };
}

const listStatuses = (clients: readonly RawClient[]) =>
  clients.map((client) => client.readResponse()?.status);

test("the gateway refuses to build a response for a caller whose unread responses hold a quarter of the memory", async () => {
  const { get, getTimes } = await start();
  const clients = await getTimes(4, PAGE);
  expect(listStatuses(clients)).toEqual([200, 200, 503, 503]);
  expect(JSON.parse(String(clients[3]?.readResponse()?.body))).toMatchObject({
    error: { code: "overloaded" },
  });
  expect(clients[3]?.readResponse()?.headers).toMatchObject({ "retry-after": "1" });
  expect((await get(PAGE, OTHER_KEY)).readResponse()?.status).toBe(200);
  expect((await get("/healthz")).readResponse()?.status).toBe(200);

  // One client reads its page, and another client disconnects.
  clients[0]?.socket.resume();
  const read = await clients[0]?.waitForResponse("the page that is read");
  expect(JSON.parse(String(read?.body))).toMatchObject(JSON.parse(LIST) as object);
  clients[1]?.socket.destroy();
  await waitUntil(async () => (await get(PAGE)).readResponse()?.status === 200, "the memory to be released");
}, 60_000);

test("the memory limit counts a Buffer only once when many responses share it", async () => {
  const { getTimes } = await start();
  expect(listStatuses(await getTimes(12, WHOLE))).toEqual(Array.from({ length: 12 }, () => 200));
}, 60_000);
