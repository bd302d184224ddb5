import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { openDatabase } from "../../src/store/database.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON, whose shape each test asserts
type Json = any;

const NO_COUNTS = {
  requests_per_minute: null,
  requests_per_day: null,
  tokens_per_minute: null,
  max_in_flight: null,
};

async function start() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const callAdmin: KeyedGateway["callAdmin"] = (...args) => gateway.callAdmin(...args);
  return { callAdmin, dataDir: gateway.dataDir };
}

test("creates, lists, shows, changes and deletes groups", async () => {
  const { callAdmin } = await start();
  const limits = { budgets: { month: { limit_usd: "100.5" } }, requests_per_minute: 600 };
  const created = await callAdmin("POST", "/groups", { name: "team-a", limits });
  expect(created).toEqual({
    status: 201,
    body: {
      id: expect.stringMatching(/^grp_\w{16}$/),
      name: "team-a",
      limits: {
        ...NO_COUNTS,
        budgets: { month: { limit_usd: 100.5, mode: "hard" } },
        requests_per_minute: 600,
      },
      created_at: expect.stringMatching(/Z$/),
    },
  });
  const { id } = created.body;
  for (const name of ["team-a", id])
    expect(await callAdmin("GET", `/groups/${name}`)).toEqual({ status: 200, body: created.body });
  expect((await callAdmin("GET", "/groups?limit=1")).body.data).toEqual([created.body]);
  expect((await callAdmin("GET", `/groups?after=${id}`)).body.data).toEqual([]);
  const changed = await callAdmin("PATCH", "/groups/team-a", {
    name: "team-b",
    limits: { budgets: { day: { limit_usd: 0, mode: "soft" } }, requests_per_minute: null },
  });
  expect(changed.body).toMatchObject({
    name: "team-b",
    limits: {
      ...NO_COUNTS,
      budgets: { day: { limit_usd: 0, mode: "soft" }, month: { limit_usd: 100.5, mode: "hard" } },
    },
  });
  expect(await callAdmin("DELETE", "/groups/team-b")).toMatchObject({ status: 200, body: { id } });
  expect((await callAdmin("GET", `/groups/${id}`)).body.error).toMatchObject({
    code: "group_not_found",
    param: "group",
  });
});

test("a key shows its group and limits, is listed by its group, and keeps the group from deletion", async () => {
  const { callAdmin } = await start();
  const { id } = (await callAdmin("POST", "/groups", { name: "team-a" })).body;
  const created = await callAdmin("POST", "/keys", {
    name: "bob",
    group: id,
    limits: { budgets: { day: { limit_usd: 0.45 } }, max_in_flight: 8 },
    end_users: { source: "header:X-OpenWebUI-User-Email", budgets: { day: { limit_usd: 0.05 } } },
    unbounded_reservation_usd: 0.25,
  });
  expect(created.body).toMatchObject({
    group: "team-a",
    group_id: id,
    limits: { ...NO_COUNTS, budgets: { day: { limit_usd: 0.45, mode: "hard" } }, max_in_flight: 8 },
    end_users: {
      source: "header:x-openwebui-user-email",
      budgets: { day: { limit_usd: 0.05, mode: "hard" } },
    },
    unbounded_reservation_usd: 0.25,
    blocked_until: null,
  });
  const listed = await callAdmin("GET", "/keys?group=team-a");
  expect(listed.body.data.map((key: Json) => key.name)).toEqual(["bob"]);
  expect((await callAdmin("GET", "/keys?group=none")).status).toBe(404);
  const refused = await callAdmin("DELETE", "/groups/team-a");
  expect([refused.status, refused.body.error.code]).toEqual([409, "group_not_empty"]);
  const changed = await callAdmin("PATCH", "/keys/bob", {
    group: null,
    limits: null,
    end_users: null,
    unbounded_reservation_usd: null,
  });
  expect(changed.body).toMatchObject({
    group: null,
    group_id: null,
    limits: { ...NO_COUNTS, budgets: {} },
    end_users: null,
    unbounded_reservation_usd: null,
  });
  const { data } = (await callAdmin("GET", "/audit?key=bob&limit=1")).body;
  expect(Object.keys(data[0].details).toSorted()).toEqual([
    "endUsers",
    "group",
    "limits",
    "unboundedReservationNanodollars",
  ]);
  expect((await callAdmin("DELETE", "/groups/team-a")).status).toBe(200);
});

test.each([
  ["limits.budgets.day.limit_usd", { limits: { budgets: { day: { limit_usd: -1 } } } }, "US dollars from 0"],
  ["limits.budgets.day.limit_usd", { limits: { budgets: { day: {} } } }, "such as 0.45"],
  ["limits.budgets.day.mode", { limits: { budgets: { day: { limit_usd: 1, mode: "x" } } } }, "hard or soft"],
  ["limits.budgets.year", { limits: { budgets: { year: { limit_usd: 1 } } } }, "is unknown; remove it"],
  ["limits.requests_per_minute", { limits: { requests_per_minute: 0 } }, "must be at least 1"],
  ["limits.max_in_flight", { limits: { max_in_flight: "5" } }, "must be a number"],
  ["end_users.source", { end_users: { source: "header:Cookie" } }, "use a header that names the user"],
  ["end_users.source", { end_users: { source: "email" } }, "such as header:x-openwebui-user-email"],
  ["end_users.source", { end_users: {} }, "set it to user"],
  ["unbounded_reservation_usd", { unbounded_reservation_usd: "1e-10" }, "at most 9 decimal places"],
  ["unblock", { unblock: false }, "leave it out"],
  ["group", { group: "nobody" }, "list the groups to find it"],
])(
  "a mistake in %s is refused with a message that names the field and the remedy",
  async (param, body, text) => {
    const { callAdmin } = await start();
    const { error } = (await callAdmin("PATCH", "/keys/first-caller", body)).body;
    expect(error).toMatchObject({ param, message: expect.stringContaining(text) });
  },
);

test("the status of budgets shows the current periods, in US dollars", async () => {
  const { callAdmin, dataDir } = await start();
  const limits = { budgets: { day: { limit_usd: 0.45 }, total: { limit_usd: 3, mode: "soft" } } };
  await callAdmin("POST", "/groups", { name: "team-a", limits });
  const { id } = (await callAdmin("POST", "/keys", { name: "bob", group: "team-a", limits })).body;
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  const row = {
    scope: `key:${id}`,
    period: "total",
    starts_at: 0,
    limit_nanodollars: 3_000_000_000,
    spent_nanodollars: 1_250_000_000,
    presumed_nanodollars: 500_000_000,
    leased_nanodollars: 1,
  } as const;
  await database.kysely.insertInto("budget_periods").values(row).execute();
  const { data } = (await callAdmin("GET", "/keys/bob/budgets")).body;
  expect(data).toEqual([
    {
      period: "day",
      starts_at: expect.stringMatching(/T00:00:00\.000Z$/),
      renews_at: expect.stringMatching(/T00:00:00\.000Z$/),
      limit_usd: 0.45,
      mode: "hard",
      spent_usd: 0,
      presumed_usd: 0,
      reserved_usd: 0,
      remaining_usd: 0.45,
    },
    {
      period: "total",
      starts_at: null,
      renews_at: null,
      limit_usd: 3,
      mode: "soft",
      spent_usd: 1.25,
      presumed_usd: 0.5,
      reserved_usd: 1e-9,
      remaining_usd: 1.25,
    },
  ]);
  expect(Date.parse(data[0].renews_at) - Date.parse(data[0].starts_at)).toBe(86_400_000);
  expect((await callAdmin("GET", "/groups/team-a/budgets")).body.data).toMatchObject([
    { period: "day", spent_usd: 0 },
    { period: "total", remaining_usd: 3 },
  ]);
  expect((await callAdmin("GET", "/keys/none/budgets")).status).toBe(404);
  expect((await callAdmin("GET", "/groups/none/budgets")).status).toBe(404);
});

test("lists keys and groups with the current periods of their budgets on request, and names the next page", async () => {
  const { callAdmin } = await start();
  const limits = { budgets: { day: { limit_usd: 0.45 }, total: { limit_usd: 2, mode: "soft" } } };
  const { id } = (await callAdmin("POST", "/groups", { name: "team-a", limits })).body;
  await callAdmin("POST", "/groups", { name: "team-b" });
  await callAdmin("POST", "/keys", { name: "bob", limits });
  const keys = await callAdmin("GET", "/keys?search=bob&include_budgets=true");
  const { data: budgets } = (await callAdmin("GET", "/keys/bob/budgets")).body;
  expect(keys.body).toMatchObject({ data: [{ name: "bob", current_budgets: budgets }], next_after: null });
  expect(budgets).toHaveLength(2);
  const groups = (await callAdmin("GET", "/groups?include_budgets=true")).body.data;
  const ofTeam = (await callAdmin("GET", `/groups/${id}/budgets`)).body.data;
  const byName = new Map(groups.map((group: Json) => [group.name, group.current_budgets]));
  expect([byName.get("team-a"), byName.get("team-b")]).toEqual([ofTeam, []]);
  const first = (await callAdmin("GET", "/groups?limit=1")).body;
  expect(first.next_after).toBe(first.data[0].id);
  expect(first.data[0]).not.toHaveProperty("current_budgets");
  const second = (await callAdmin("GET", `/groups?limit=1&after=${first.next_after}`)).body;
  expect([second.data.length, second.next_after]).toEqual([1, null]);
  expect((await callAdmin("GET", "/keys?include_budgets=yes")).body.error).toMatchObject({
    param: "include_budgets",
    code: "invalid_value",
  });
});

test("lists the keys that may use a model", async () => {
  const { callAdmin } = await start();
  await callAdmin("POST", "/keys", { name: "bob", models: ["google/*"] });
  const list = async (model: string): Promise<string[]> =>
    (await callAdmin("GET", `/keys?model=${model}`)).body.data.map(({ name }: Json) => name).toSorted();
  expect(await list("openrouter/google/gemini-3-flash")).toEqual(["bob", "first-caller"]);
  expect(await list("openai/gpt-4o")).toEqual(["first-caller"]);
});
