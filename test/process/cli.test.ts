import { basename, dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { addSums } from "../../src/metering/sql/rollups.ts";
import { DAY_MS } from "../../src/durations.ts";
import { insertRollups, createRollup } from "../support/rollup-rows.ts";
import { NOVEMBER } from "../support/ledger-rows.ts";
import { type CommandResult, runCommand } from "../support/run-command.ts";
import { runNode } from "../support/run-node.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

/** Runs a command in a process of its own. */
async function startSluice(dataDir: string, ...args: string[]): Promise<CommandResult> {
  const run = runNode("src/server.ts", { DATA_DIR: dataDir }, ["--cli", ...args]);
  const code = Number(await run.waitForExit(args.join(" ")));
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}

const sluice = (dataDir: string, ...args: string[]) => runCommand({ DATA_DIR: dataDir }, args);

test("the command line creates, lists, updates, rotates and revokes keys", async () => {
  const dir = createTemporaryDirectory();
  const created = await startSluice(
    dir,
    "keys",
    "create",
    "--name",
    "bob",
    "--models",
    "google/*,*:free",
    "--expires",
    "30d",
  );
  expect(JSON.parse((await startSluice(dir, "keys", "list", "--json")).stdout)).toMatchObject([
    { name: "bob" },
  ]);
  expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/sk-slc-\w{49}/) });
  expect((await startSluice(dir, "keys", "list")).stdout).toMatch(
    /bob +caller +- +sk-slc-\w{5} +google\/\*,\*:free/,
  );
  const updated = await startSluice(dir, "keys", "update", "bob", "--owner", "Bob", "--disable", "--json");
  expect(JSON.parse(updated.stdout)).toMatchObject({ name: "bob", owner: "Bob", disabled: true });
  const rotated = JSON.parse(
    (await startSluice(dir, "keys", "rotate", "bob", "--grace", "1h", "--json")).stdout,
  );
  expect(created.stdout).not.toContain(rotated.secret);
  expect(
    JSON.parse((await startSluice(dir, "keys", "revoke", "bob", "--json")).stdout).revoked_at,
  ).not.toBeNull();
  const id = JSON.parse(updated.stdout).id as string;
  const audit = JSON.parse((await startSluice(dir, "keys", "audit", "--key", id, "--json")).stdout);
  expect(audit.map((entry: { action: string }) => entry.action)).toEqual([
    "revoke",
    "rotate",
    "update",
    "create",
  ]);
  expect(audit[0]).toMatchObject({ actor: "cli", source: expect.stringContaining("@") });
  expect((await startSluice(dir, "usage", "--by", "key,day")).stdout).toMatch(
    /^\(no usage from 20\S+Z to 20\S+Z\)\n$/,
  );
}, 60_000);

test.each([
  [["keys", "show", "nobody"], 1, "No key has this id or name"],
  [["keys", "create", "--name", "a b"], 1, "name must be up to 64"],
  [["keys", "create"], 1, "--name"],
  [["keys", "create", "--name", "x", "--expires", "soon"], 1, "such as 2026-12-31"],
  [["keys", "create", "--name", "x", "--expires", "30"], 1, "such as 30d"],
  [["keys", "create", "--name", "x", "--models", "openrouter/*"], 1, "--models has a star after openrouter/"],
  [["keys", "create", "--name", "x", "--expires", "2027-02-30"], 1, "such as 2026-12-31"],
  [["keys", "create", "--name", "x", "--models", "a b"], 1, "--models must be a model id"],
  [["keys", "create", "--name", "x", "--alias", "fast"], 1, "Use name=model, such as"],
  [["keys", "create", "--name", "x", "--alias", "a=b/c", "--alias", "a=d/e"], 1, "Use each alias once."],
  [["keys", "create", "--name", "x", "--alias", "a/b=c/d"], 1, "--alias must have a name without '/'"],
  [["keys", "create", "--name", "x", "--alias", "a=b"], 1, "--alias must name a model id"],
  [
    ["keys", "create", "--name", "x", "--on-disconnect", "stop"],
    1,
    "--on-disconnect must be cancel or drain",
  ],
  [["keys", "rotate", "x", "--grace", "31d"], 1, "--grace must be at most 30 days"],
  [["keys", "rotate", "x", "--grace", "5"], 1, "such as 90s, 30m, 24h or 7d, or 0"],
  [["keys", "update", "x", "--disable", "--enable"], 1, "cannot be used with"],
  [["keys", "audit", "--key", "nobody"], 1, "No key has this id or name"],
  [["usage", "--by", "colour"], 1, 'not "colour"'],
  [["usage", "--limit", "0"], 1, '--limit must be a whole number from 1, not "0"'],
  [["usage", "--endpoint", "chat"], 1, "--endpoint must be one of chat/completions, "],
  [["usage", "--to", "2026-11-01T00:30:00Z"], 1, "Use 2026-11-01T00:00:00Z or 2026-11-01T01:00:00Z"],
  [["keys", "create", "--name", "x", "--budget", "0.45"], 1, "Use period=usd, such as day=0.45"],
  [["keys", "create", "--name", "x", "--budget", "year=1"], 1, "with a period of day, week, month, total"],
  [["keys", "create", "--name", "x", "--budget", "day=1", "--budget", "day=2"], 1, "Use each period once."],
  [["keys", "create", "--name", "x", "--budget", "day=-1"], 1, "--budget must be US dollars from 0 to"],
  [["keys", "create", "--name", "x", "--budget", "day=1:x"], 1, "--budget must be hard or soft"],
  [["keys", "create", "--name", "x", "--requests-per-day", "x"], 1, "Use a whole number, or none."],
  [["keys", "create", "--name", "x", "--max-in-flight", "0"], 1, "--max-in-flight must be at least 1"],
  [["keys", "create", "--name", "x", "--end-users", "email"], 1, "--end-users must be user, or header:"],
  [["keys", "create", "--name", "x", "--end-user-budget", "day=1"], 1, "end users is missing"],
  [
    ["keys", "create", "--name", "x", "--end-user-budget", "day=x"],
    1,
    "--end-user-budget must be US dollars",
  ],
  [
    ["keys", "create", "--name", "x", "--unbounded-reservation", "x"],
    1,
    "--unbounded-reservation must be US",
  ],
  [["keys", "create", "--name", "x", "--group", "nobody"], 1, "No group of keys has this id or name"],
  [["groups", "create", "--name", "grp_a"], 1, "--name must not begin with grp_"],
  [["groups", "show", "nobody"], 1, "No group of keys has this id or name"],
])("%j exits with %d and prints %s", async (args, code, text) => {
  const run = await sluice(createTemporaryDirectory(), ...args);
  expect([run.code, run.stderr]).toEqual([code, expect.stringContaining(text)]);
});

test.each([
  [{ DATA_DIR: "/dev/null" }, "in DATA_DIR (/dev/null) is unavailable: "],
  [{ DATABASE_URL: "postgres://u:pass-word@127.0.0.1:1/x" }, "at DATABASE_URL is unavailable: "],
])("a command reports an unusable database in one line: %j", async (env, words) => {
  const run = runNode("src/server.ts", env, ["--cli", "keys", "list"]);
  expect(await run.waitForExit("the command")).toBe(1);
  expect(run.stderr()).toContain(words);
  expect(run.stderr()).toMatch(/^[^\n]+[^\n: ]\n$/);
  expect(run.stderr()).not.toContain("pass-word");
});

test("the usage command filters by time, key, model, provider and endpoint, and prints a table, JSON or CSV", async () => {
  const dir = createTemporaryDirectory();
  const database = openDatabase({ dataDir: dir, databaseUrl: undefined }, () => {});
  await database.migrate();
  await addSums(database, database.kysely, [
    createRollup(NOVEMBER, ["env:a", "x/one", "P"], 1),
    createRollup(NOVEMBER, ["env:b", "x/one", "P"], 2),
    createRollup(NOVEMBER, ["env:a", "x/two", "P"], 3),
    createRollup(NOVEMBER, ["env:a", "x/one", "Q", "messages"], 4),
    createRollup(NOVEMBER + DAY_MS, ["env:a", "x/one", "P"], 5),
  ]);
  await database.close();
  const usage = (...args: string[]) =>
    sluice(dir, "usage", "--from", "2026-11-01", "--to", "2026-11-03", ...args);
  const requests = async (...args: string[]): Promise<number> =>
    JSON.parse((await usage("--json", ...args)).stdout).total.requests;
  expect(await requests()).toBe(15);
  expect(await requests("--key", "env:b")).toBe(2);
  expect(await requests("--model", "openrouter/x/two")).toBe(3);
  expect(await requests("--provider", "Q")).toBe(4);
  expect(await requests("--endpoint", "messages")).toBe(4);
  expect(await requests("--from", "2026-11-02")).toBe(5);
  expect((await usage("--by", "day,provider")).stdout).toMatch(/2026-11-01 +Q +4 /);
  expect((await usage("--by", "endpoint", "--csv")).stdout).toMatch(
    /^endpoint,requests,.*\r\nchat\/completions,11,.*\r\nmessages,4,/s,
  );
  expect((await usage("--by", "key", "--csv")).stdout).toMatch(
    /^key_id,key_name,requests,.*\r\nenv:a,a,13,/s,
  );
  expect((await usage()).stdout).toMatch(/ byok_usd\n.* 0\.099506173\n.*\n- +- +15 .* 0\.114814815\n$/s);
}, 60_000);

test("the usage command prints a report of 12,000 keys as a table with one header row and one total row", async () => {
  const dir = createTemporaryDirectory();
  const database = openDatabase({ dataDir: dir, databaseUrl: undefined }, () => {});
  await database.migrate();
  const rows = Array.from({ length: 12_000 }, (_, index) =>
    createRollup(NOVEMBER, [`env:${"k".repeat(index % 50)}${index}`]),
  );
  await insertRollups(database, rows);
  await database.close();
  const time = ["--from", "2026-11-01", "--to", "2026-11-02"];
  const table = await startSluice(dir, "usage", ...time);
  const lines = table.stdout.trimEnd().split("\n");
  expect([table.code, lines.length]).toEqual([0, 12_002]);
  expect([lines[0]?.startsWith("key_id"), lines.at(-1)?.startsWith("-")]).toEqual([true, true]);
  const json = JSON.parse((await startSluice(dir, "usage", "--json", ...time)).stdout);
  expect([json.data.length, json.total.requests]).toEqual([12_000, 12_000]);
}, 60_000);

test.each(["0", "0s", "0h"])(
  "a rotation with --grace %s invalidates the old secret at once",
  async (grace) => {
    const dir = createTemporaryDirectory();
    await sluice(dir, "keys", "create", "--name", "bob");
    const rotated = await sluice(dir, "keys", "rotate", "bob", "--grace", grace, "--json");
    expect(rotated.code).toBe(0);
    expect(JSON.parse(rotated.stdout).previous_secret_until).toBeNull();
  },
);

test("the keys commands set the aliases of a key, replace all of them, and remove them", async () => {
  const dir = createTemporaryDirectory();
  const aliases = ["--alias", "fast=openrouter/a/b", "--alias", "best=e/f"];
  await sluice(dir, "keys", "create", "--name", "bob", ...aliases);
  const read = async (...args: string[]): Promise<unknown> =>
    (JSON.parse((await sluice(dir, "keys", ...args, "--json")).stdout) as { aliases: unknown }).aliases;
  expect(await read("show", "bob")).toEqual({ fast: "a/b", best: "e/f" });
  expect(await read("update", "bob", "--alias", "x=y/z")).toEqual({ x: "y/z" });
  expect(await read("update", "bob", "--no-alias")).toEqual({});
});

test("the keys commands remove the model patterns and the expiry of a key", async () => {
  const dir = createTemporaryDirectory();
  await sluice(dir, "keys", "create", "--name", "bob", "--models", "a/b", "--expires", "30d");
  const bare = await sluice(dir, "keys", "update", "bob", "--models", "any", "--expires", "never", "--json");
  expect([bare.code, JSON.parse(bare.stdout || "null")]).toMatchObject([
    0,
    { models: null, expires_at: null },
  ]);
});

test("the keys commands remove the owner and the metadata of a key, and show an expired key as expired", async () => {
  const dir = createTemporaryDirectory();
  await sluice(dir, "keys", "create", "--name", "bob", "--owner", "Bob", "--metadata", "team=a");
  const bare = await sluice(dir, "keys", "update", "bob", "--no-owner", "--no-metadata", "--json");
  expect(JSON.parse(bare.stdout)).toMatchObject({ owner: null, metadata: {} });
  const database = openDatabase({ dataDir: dir, databaseUrl: undefined }, () => {});
  await database.kysely.updateTable("keys").set({ expires_at: 1 }).execute();
  await database.close();
  expect((await sluice(dir, "keys", "show", "bob")).stdout).toMatch(/expired\n$/);
});

test("a command prints a note instead of an empty table, and a note in the cell of a missing model or provider", async () => {
  const dir = createTemporaryDirectory();
  const database = openDatabase({ dataDir: dir, databaseUrl: undefined }, () => {});
  await database.migrate();
  await addSums(database, database.kysely, [createRollup(NOVEMBER, ["env:a", "", ""], 1)]);
  await database.close();
  const args = ["--from", "2026-11-01", "--to", "2026-11-03"];
  const { stdout } = await sluice(dir, "usage", "--by", "model,provider", ...args);
  expect(stdout).toMatch(/\n\(no model\) +\(no provider\) +1 /);
  expect((await sluice(dir, "keys", "list")).stdout).toBe("(no keys)\n");
  expect((await sluice(dir, "keys", "list", "--owner", "x")).stdout).toBe("(no keys of this owner)\n");
  expect((await sluice(dir, "keys", "audit")).stdout).toBe("(no changes of keys)\n");
}, 60_000);

test("an unknown command exits with 1", async () => {
  const run = await startSluice(createTemporaryDirectory(), "nothing");
  expect([run.code, run.stderr]).toEqual([1, expect.stringContaining("unknown command")]);
});

test("without a store, a keys command fails and names the settings that configure a store", async () => {
  const run = runNode("src/server.ts", { GATEWAY_API_KEYS: "a:b" }, ["--cli", "keys", "list"]);
  expect(await run.waitForExit("the command")).toBe(1);
  expect(run.stderr()).toContain("DATA_DIR or DATABASE_URL");
});

test("commands run under a user id that has no user name", async () => {
  const nameless = `import os from "node:os"; import { syncBuiltinESMExports } from "node:module";
    os.userInfo = () => { throw new Error("uv_os_get_passwd returned ENOENT"); }; syncBuiltinESMExports();`;
  const hook = `--import=data:text/javascript,${encodeURIComponent(nameless)}`;
  const env = { DATA_DIR: createTemporaryDirectory() };
  const cli = async (...args: string[]) => {
    const run = runNode(hook, env, ["src/server.ts", "--cli", ...args]);
    return [await run.waitForExit(args.join(" ")), run.stdout()] as const;
  };
  expect((await cli("keys", "create", "--name", "bob"))[0]).toBe(0);
  const [code, audit] = await cli("keys", "audit", "--json");
  expect([code, JSON.parse(audit)]).toMatchObject([0, [{ source: expect.stringMatching(/^uid \d+@/) }]]);
});

test("a command prints the path of its database and whether it has created it, and warns if no gateway would use the database", async () => {
  const dir = createTemporaryDirectory();
  const path = join(dir, "sluice.db");
  const first = await startSluice(dir, "keys", "list", "--json");
  expect([JSON.parse(first.stdout), first.stderr]).toEqual([
    [],
    expect.stringContaining(`database: ${path} (created)\n`),
  ]);
  expect(first.stderr).toContain("warning: OPENROUTER_API_KEY is not set.");
  const env = { OPENROUTER_API_KEY: "sk-or-x", DATA_DIR: join(dir, "..", basename(dir)) };
  const second = runNode("src/server.ts", env, ["--cli", "keys", "list"]);
  expect(await second.waitForExit("the command")).toBe(0);
  expect([second.stdout(), second.stderr()]).toEqual(["(no keys)\n", `database: ${path}\n`]);
  expect(dirname(resolve(path))).toBe(dir);
});
