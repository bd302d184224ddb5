import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { runCommand } from "../support/run-command.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

const TIMEOUT_MS = 60_000;
const NO_COUNTS = {
  requests_per_minute: null,
  requests_per_day: null,
  tokens_per_minute: null,
  max_in_flight: null,
};

/** @returns a function that runs a command on one new data directory, and returns its output. */
function createCli() {
  const dataDir = createTemporaryDirectory();
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand({ DATA_DIR: dataDir }, args);
    expect([args, code, stderr]).toEqual([args, 0, expect.any(String)]);
    return stdout;
  };
  // oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON, whose shape each test asserts
  const runJson = async (...args: string[]): Promise<any> => JSON.parse(await run(...args, "--json"));
  return { dataDir, run, runJson };
}

test(
  "the keys commands set, merge and remove the limits of a key",
  async () => {
    const { run, runJson } = createCli();
    await run("keys", "create", "--name", "bob", "--budget", "day=0.45", "--budget", "month=10:soft");
    await run("keys", "update", "bob", "--max-in-flight", "8", "--tokens-per-minute", "1000");
    const day = { limit_usd: 0.45, mode: "hard" };
    expect(await runJson("keys", "show", "bob")).toMatchObject({
      limits: {
        ...NO_COUNTS,
        budgets: { day, month: { limit_usd: 10, mode: "soft" } },
        max_in_flight: 8,
        tokens_per_minute: 1_000,
      },
      budget_status: [
        { period: "day", remaining_usd: 0.45 },
        { period: "month", remaining_usd: 10 },
      ],
    });
    const limits = "day \\$0.45, month \\$10 soft, 1000 tokens/min, 8 in flight";
    const shown = await run("keys", "show", "bob");
    expect(shown).toMatch(new RegExp(`any +- +${limits} +- +- +active\n\nperiod +starts_at.*\nday `));
    const merged = await runJson(
      "keys",
      "update",
      "bob",
      "--budget",
      "month=none",
      "--max-in-flight",
      "none",
    );
    expect(merged.limits).toEqual({ ...NO_COUNTS, budgets: { day }, tokens_per_minute: 1_000 });
    const replaced = await runJson("keys", "update", "bob", "--no-budget", "--budget", "week=1");
    expect(replaced.limits.budgets).toEqual({ week: { limit_usd: 1, mode: "hard" } });
    expect((await runJson("keys", "update", "bob", "--no-budget")).limits.budgets).toEqual({});
  },
  TIMEOUT_MS,
);

test(
  "the groups commands create, list, show, change and delete a group, which keys can join and leave",
  async () => {
    const { run, runJson } = createCli();
    const limits = ["--budget", "month=100", "--requests-per-minute", "600"];
    const { id } = await runJson("groups", "create", "--name", "team-a", ...limits);
    await run("keys", "create", "--name", "bob", "--group", "team-a");
    expect(await runJson("keys", "list", "--group", id)).toMatchObject([{ name: "bob", group: "team-a" }]);
    expect(await runJson("groups", "list")).toMatchObject([{ id, name: "team-a" }]);
    const shown = await run("groups", "show", "team-a");
    expect(shown).toMatch(/team-a +month \$100, 600 requests\/min +\d.*\n\nperiod .*\nmonth +\d/);
    expect((await runJson("groups", "show", id)).budget_status).toMatchObject([{ limit_usd: 100 }]);
    const changed = await runJson("groups", "update", "team-a", "--name", "team-b", "--no-budget");
    expect(changed).toMatchObject({ name: "team-b", limits: { budgets: {}, requests_per_minute: 600 } });
    expect((await runJson("keys", "update", "bob", "--no-group")).group).toBeNull();
    await run("groups", "delete", "team-b");
    expect(await run("groups", "list")).toBe("(no groups)\n");
  },
  TIMEOUT_MS,
);

test(
  "the keys commands set end users and the reservation, and unblock a key, which is shown as blocked",
  async () => {
    const { dataDir, run, runJson } = createCli();
    const settings = ["--end-users", "header:X-User", "--end-user-budget", "day=0.05"];
    await run("keys", "create", "--name", "bob", ...settings, "--unbounded-reservation", "0.25");
    expect(await runJson("keys", "show", "bob")).toMatchObject({
      end_users: { source: "header:x-user", budgets: { day: { limit_usd: 0.05, mode: "hard" } } },
      unbounded_reservation_usd: 0.25,
      blocked_until: null,
    });
    const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
    await database.kysely
      .updateTable("keys")
      .set({ blocked_until: Date.parse("2100-01-01") })
      .execute();
    await database.close();
    expect(await run("keys", "show", "bob")).toMatch(/ blocked\n$/);
    expect(
      await runJson("keys", "update", "bob", "--no-end-user-budget", "--end-users", "user"),
    ).toMatchObject({
      end_users: { source: "user", budgets: {} },
      blocked_until: "2100-01-01T00:00:00.000Z",
    });
    const last = ["--unblock", "--no-end-users", "--unbounded-reservation", "none"];
    expect(await runJson("keys", "update", "bob", ...last)).toMatchObject({
      end_users: null,
      unbounded_reservation_usd: null,
      blocked_until: null,
    });
    expect(await run("keys", "show", "bob")).toMatch(/ active\n$/);
  },
  TIMEOUT_MS,
);
