import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqlite } from "../../src/store/node-sqlite.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

/** Lists the open files of this process whose paths begin with `directory`, including deleted ones. */
function openFilesIn(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(directory) ? [path] : [];
    } catch {
      return [];
    }
  });
}

test.runIf(process.platform === "linux")(
  "a sort that does not fit in memory is written to the directory of the database",
  () => {
    const directory = createTemporaryDirectory();
    const sqlite = openSqlite(join(directory, "sluice.db"), 0);
    onTestFinished(() => sqlite.close());
    const rows = sqlite
      .prepare(
        `with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 100000)
       select hex(zeroblob(100)) || (n % 1000) as name from numbers order by name`,
      )
      .iterate();
    rows.next();
    expect(openFilesIn(join(directory, "etilqs_"))).not.toEqual([]);
    rows.return?.();
  },
);
