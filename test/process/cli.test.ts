import { expect, test } from "vitest";
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
  expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/sk-slc-\w{49}/) });
  expect((await sluice(dir, "keys", "list")).stdout).toMatch(
    /bob +caller +- +sk-slc-\w{5} +google\/\*,\*:free/,
  );
  const updated = await sluice(dir, "keys", "update", "bob", "--owner", "Bob", "--disable", "--json");
  expect(JSON.parse(updated.stdout)).toMatchObject({ name: "bob", owner: "Bob", disabled: true });
  const rotated = JSON.parse((await sluice(dir, "keys", "rotate", "bob", "--grace", "1h", "--json")).stdout);
  expect(created.stdout).not.toContain(rotated.secret);
  expect(JSON.parse((await sluice(dir, "keys", "revoke", "bob", "--json")).stdout).revoked_at).not.toBeNull();
  const audit = JSON.parse((await sluice(dir, "keys", "audit", "--json")).stdout);
  expect(audit.map((entry: { action: string }) => entry.action)).toEqual([
    "revoke",
    "rotate",
    "update",
    "create",
  ]);
  expect(audit[0]).toMatchObject({ actor: "cli", source: expect.stringContaining("@") });
  expect((await sluice(dir, "usage", "--by", "key,day")).stdout).toBe("(none)\n");
}, 30_000);

test.each([
  [["keys", "show", "nobody"], 1, "no key of this id or name"],
  [["keys", "create", "--name", "a b"], 1, "name must be up to 64"],
  [["keys", "create"], 1, "--name"],
  [["keys", "create", "--name", "x", "--expires", "soon"], 1, "such as 2026-12-31"],
  [["usage", "--by", "colour"], 1, 'not "colour"'],
  [["nothing"], 1, "unknown command"],
])("%j exits %d and says %s", async (args, code, text) => {
  const run = await sluice(temporaryDirectory(), ...args);
  expect([run.code, run.stderr]).toEqual([code, expect.stringContaining(text)]);
});

test("a configuration that keeps no keys is said to keep none", async () => {
  const run = runNode("src/server.ts", { GATEWAY_API_KEYS: "a:b" }, ["--cli", "keys", "list"]);
  expect(await run.exit("the command")).toBe(1);
  expect(run.stderr()).toContain("DATA_DIR or DATABASE_URL");
});
