import { expect, test } from "vitest";
import { hashKey } from "../../tools/simulator/activity.ts";
import { completeChat, getJson, startTestSimulator } from "../support/simulator.ts";

const DAY_MS = 86_400_000;
const BILLED_AT = Date.UTC(2026, 10, 3, 12);

test("GET /activity has the sums of the last 30 completed UTC days, by key", async () => {
  const clock = { now: BILLED_AT };
  const simulator = await startTestSimulator({ now: () => clock.now });
  const { usage } = await completeChat(simulator, {});
  const read = (query = "") => getJson(simulator, `/activity${query}`);
  expect(await read()).toEqual({ status: 200, json: { data: [] } });
  expect((await read("?date=2026-11-03")).status).toBe(400);
  clock.now += DAY_MS;
  const line = {
    date: "2026-11-03",
    model: "openai/gpt-4o-mini",
    usage: usage.cost,
    requests: 1,
    prompt_tokens: usage.prompt_tokens,
    completion_tokens: usage.completion_tokens,
  };
  expect(await read("?date=2026-11-03")).toMatchObject({ status: 200, json: { data: [line] } });
  expect(await read(`?api_key_hash=${hashKey("sk-or-v1-test")}`)).toMatchObject({ json: { data: [line] } });
  expect(await read(`?api_key_hash=${hashKey("other")}`)).toEqual({ status: 200, json: { data: [] } });
  clock.now = BILLED_AT + 31 * DAY_MS;
  expect((await read("?date=2026-11-03")).status).toBe(400);
});

test("only the management key may read the activity and the keys, which have the hashes of the keys", async () => {
  const simulator = await startTestSimulator({ apiKeys: ["sk-or-v1-test"], managementKey: "m" });
  for (const path of ["/activity", "/keys", `/keys/${hashKey("sk-or-v1-test")}`])
    expect((await getJson(simulator, path)).status).toBe(403);
  const open = await startTestSimulator({ apiKeys: ["sk-or-v1-test"] });
  const key = { hash: hashKey("sk-or-v1-test"), label: "sk-or-v1-tes...est" };
  expect(await getJson(open, "/keys")).toMatchObject({ json: { data: [key] } });
  expect(await getJson(open, "/keys?offset=1")).toMatchObject({ json: { data: [] } });
  expect(await getJson(open, `/keys/${key.hash}`)).toMatchObject({ json: { data: key } });
  expect((await getJson(open, "/keys/absent")).status).toBe(404);
});
