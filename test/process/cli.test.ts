import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { addSums } from "../../src/store/rollups.ts";
import { DAY_MS, rollup } from "../store/rollup-rows.ts";
import { NOVEMBER } from "../store/rows.ts";
import { runNode } from "../support/process.ts";
import { temporaryDirectory } from "../support/store.ts";

async function sluice(dataDir: string, ...args: string[]) {
  const run = runNode("src/server.ts", { DATA_DIR: dataDir }, ["--cli", ...args]);
  return { code: await run.exit(args.join(" ")), stdout: run.stdout(), stderr: run.stderr() };
}

test("keys are created, listed, changed, rotated and revoked from the command line", async () => {
  const dir = temporaryDirectory();
  const created = await sluice(
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
  expect(JSON.parse((await sluice(dir, "keys", "list", "--json")).stdout)).toMatchObject([{ name: "bob" }]);
  expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/sk-slc-\w{49}/) });
  expect((await sluice(dir, "keys", "list")).stdout).toMatch(
    /bob +caller +- +sk-slc-\w{5} +google\/\*,\*:free/,
  );
  const updated = await sluice(dir, "keys", "update", "bob", "--owner", "Bob", "--disable", "--json");
  expect(JSON.parse(updated.stdout)).toMatchObject({ name: "bob", owner: "Bob", disabled: true });
  const rotated = JSON.parse((await sluice(dir, "keys", "rotate", "bob", "--grace", "1h", "--json")).stdout);
  expect(created.stdout).not.toContain(rotated.secret);
  expect(JSON.parse((await sluice(dir, "keys", "revoke", "bob", "--json")).stdout).revoked_at).not.toBeNull();
  const id = JSON.parse(updated.stdout).id as string;
  const audit = JSON.parse((await sluice(dir, "keys", "audit", "--key", id, "--json")).stdout);
  expect(audit.map((entry: { action: string }) => entry.action)).toEqual([
    "revoke",
    "rotate",
    "update",
    "create",
  ]);
  expect(audit[0]).toMatchObject({ actor: "cli", source: expect.stringContaining("@") });
  expect((await sluice(dir, "usage", "--by", "key,day")).stdout).toMatch(
    /^\(no usage from 20\S+Z to 20\S+Z\)\n$/,
  );
}, 30_000);

test.each([
  [["keys", "show", "nobody"], 1, "no key of this id or name"],
  [["keys", "create", "--name", "a b"], 1, "name must be up to 64"],
  [["keys", "create"], 1, "--name"],
  [["keys", "create", "--name", "x", "--expires", "soon"], 1, "such as 2026-12-31"],
  [["keys", "create", "--name", "x", "--expires", "30"], 1, "such as 30d"],
  [
    ["keys", "create", "--name", "x", "--models", "openrouter/*"],
    1,
    "--models has a star right behind openrouter/",
  ],
  [["keys", "create", "--name", "x", "--expires", "2027-02-30"], 1, "such as 2026-12-31"],
  [["keys", "create", "--name", "x", "--models", "a b"], 1, "--models must be a model name"],
  [
    ["keys", "create", "--name", "x", "--on-disconnect", "stop"],
    1,
    "--on-disconnect must be cancel or drain",
  ],
  [["keys", "rotate", "x", "--grace", "31d"], 1, "--grace must be at most 30 days"],
  [["keys", "update", "x", "--disable", "--enable"], 1, "cannot be used with"],
  [["keys", "audit", "--key", "nobody"], 1, "no key of this id or name"],
  [["usage", "--by", "colour"], 1, 'not "colour"'],
  [["nothing"], 1, "unknown command"],
])("%j exits %d and says %s", async (args, code, text) => {
  const run = await sluice(temporaryDirectory(), ...args);
  expect([run.code, run.stderr]).toEqual([code, expect.stringContaining(text)]);
});

test.each([
  [{ DATA_DIR: "/dev/null" }, "in DATA_DIR (/dev/null) cannot be used: "],
  [{ DATABASE_URL: "postgres://u:pass-word@127.0.0.1:1/x" }, "at DATABASE_URL cannot be used: "],
])("a database that cannot be had is said in one line: %j", async (env, words) => {
  const run = runNode("src/server.ts", env, ["--cli", "keys", "list"]);
  expect(await run.exit("the command")).toBe(1);
  expect(run.stderr()).toContain(words);
  expect(run.stderr()).toMatch(/^[^\n]+[^\n: ]\n$/);
  expect(run.stderr()).not.toContain("pass-word");
});

test("usage is that of the time, key, model and provider asked for, as a table, as JSON and as CSV", async () => {
  const dir = temporaryDirectory();
  const database = openDatabase({ dataDir: dir, databaseUrl: undefined }, () => {});
  await database.migrate();
  await addSums(database, database.kysely, [
    rollup(NOVEMBER, ["env:a", "x/one", "P"], 1),
    rollup(NOVEMBER, ["env:b", "x/one", "P"], 2),
    rollup(NOVEMBER, ["env:a", "x/two", "P"], 3),
    rollup(NOVEMBER, ["env:a", "x/one", "Q"], 4),
    rollup(NOVEMBER + DAY_MS, ["env:a", "x/one", "P"], 5),
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
  expect(await requests("--from", "2026-11-02")).toBe(5);
  expect((await usage("--by", "day,provider")).stdout).toMatch(/2026-11-01 +Q +4 /);
  expect((await usage("--by", "key", "--csv")).stdout).toMatch(
    /^key_id,key_name,requests,.*\r\nenv:a,a,13,/s,
  );
}, 30_000);

test("owner and metadata can be taken away, and a key that has expired is said to have", async () => {
  const dir = temporaryDirectory();
  await sluice(dir, "keys", "create", "--name", "bob", "--owner", "Bob", "--metadata", "team=a");
  const bare = await sluice(dir, "keys", "update", "bob", "--no-owner", "--no-metadata", "--json");
  expect(JSON.parse(bare.stdout)).toMatchObject({ owner: null, metadata: {} });
  const database = openDatabase({ dataDir: dir, databaseUrl: undefined }, () => {});
  await database.kysely.updateTable("keys").set({ expires_at: 1 }).execute();
  await database.close();
  expect((await sluice(dir, "keys", "show", "bob")).stdout).toMatch(/expired\n$/);
});

test("a table without rows says of what, and a row without a model, provider or name says so in its cell", async () => {
  const dir = temporaryDirectory();
  const database = openDatabase({ dataDir: dir, databaseUrl: undefined }, () => {});
  await database.migrate();
  await addSums(database, database.kysely, [rollup(NOVEMBER, ["env:a", "", ""], 1)]);
  await database.close();
  const args = ["--from", "2026-11-01", "--to", "2026-11-03"];
  const { stdout } = await sluice(dir, "usage", "--by", "model,provider", ...args);
  expect(stdout).toMatch(/\n\(no model\) +\(no provider\) +1 /);
  expect((await sluice(dir, "keys", "list")).stdout).toBe("(no keys)\n");
  expect((await sluice(dir, "keys", "list", "--owner", "x")).stdout).toBe("(no keys of this owner)\n");
  expect((await sluice(dir, "keys", "audit")).stdout).toBe("(no changes of keys)\n");
}, 30_000);

test("a configuration that keeps no keys is said to keep none", async () => {
  const run = runNode("src/server.ts", { GATEWAY_API_KEYS: "a:b" }, ["--cli", "keys", "list"]);
  expect(await run.exit("the command")).toBe(1);
  expect(run.stderr()).toContain("DATA_DIR or DATABASE_URL");
});
