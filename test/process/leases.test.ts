import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { runNode } from "../support/run-node.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

const TIMEOUT_MS = 60_000;
const BUDGET = { scope: "key:key_1", period: "total", starts_at: 0 } as const;

/** Creates a data directory with a presumed lease of the dead process `dead`. */
async function createDataDir(): Promise<string> {
  const dataDir = createTemporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  await database.migrate();
  await database.kysely
    .insertInto("budget_periods")
    .values({
      ...BUDGET,
      limit_nanodollars: 1_000_000_000,
      spent_nanodollars: 0,
      presumed_nanodollars: 250_000_000,
      leased_nanodollars: 0,
    })
    .execute();
  await database.kysely
    .insertInto("budget_leases")
    .values({ ...BUDGET, instance: "dead", amount_nanodollars: 250_000_000, is_expired: 1 })
    .execute();
  await database.close();
  return dataDir;
}

test(
  "the leases commands list and release the money of a dead gateway, which keys audit lists",
  async () => {
    const dataDir = await createDataDir();
    const run = async (...args: string[]) => {
      const command = runNode("src/server.ts", { DATA_DIR: dataDir }, ["--cli", ...args]);
      const code = await command.waitForExit(args.join(" "), 20_000);
      return { code, stdout: command.stdout(), stderr: command.stderr() };
    };
    expect(JSON.parse((await run("leases", "--json")).stdout)).toEqual([
      {
        instance: "dead",
        last_heartbeat: null,
        budget: "key:key_1",
        period: "total",
        starts_at: null,
        amount_usd: "0.250000000",
        presumed: true,
      },
    ]);
    expect(await run("leases", "release", "dead")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/released_usd\nkey:key_1 +total +- +0\.250000000\n/),
    });
    expect(await run("leases", "release", "dead")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("No process with this id has leases"),
    });
    expect((await run("leases")).stdout).toBe("(no leases of dead gateways)\n");
    expect((await run("keys", "audit")).stdout).toContain("release_leases");
  },
  TIMEOUT_MS,
);
