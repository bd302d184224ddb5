import { closeSync, openSync, readFileSync, readSync, truncateSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Checkpoints } from "../../src/store/checkpoints.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil, waitFor } from "../support/wait.ts";

/** Opens a database whose checkpoints have not started. */
async function open() {
  const database = await openTestDatabase();
  if (!database.sqlite) throw new Error("not SQLite");
  const failures: Error[] = [];
  const checkpoints = new Checkpoints(database.sqlite, (error) => failures.push(error), 20);
  onTestFinished(() => checkpoints.stop());
  const path = database.sqlite.location() ?? "";
  const write = (id: string) =>
    database.kysely.insertInto("instances").values({ id, started_at: 0, seen_at: 0 }).execute();
  const inFile = (text: string): boolean => readFileSync(path).includes(text);
  return { checkpoints, failures, path, write, inFile };
}

/** Returns how often SQLite has restarted the WAL. The WAL's header has this count in bytes 12 to 15. */
function readRestartCount(path: string): number {
  const file = openSync(`${path}-wal`, "r");
  const header = Buffer.alloc(16);
  readSync(file, header, 0, 16, 0);
  closeSync(file);
  return header.readUInt32BE(12);
}

test("copies the WAL to the database file on a separate thread", async () => {
  const { checkpoints, write, inFile } = await open();
  checkpoints.start();
  await write("instance-of-the-test");
  expect(await waitUntil(() => inFile("instance-of-the-test"), "the row in the file")).toBe(true);
});

test("restarts the WAL once all of it is in the database file", async () => {
  const { checkpoints, write, path } = await open();
  checkpoints.start();
  await write("0");
  const before = readRestartCount(path);
  let id = 0;
  const restartedTwice = async (): Promise<boolean> => {
    // A checkpoint must fit between two writes, so on a slow disk the pauses become long enough.
    await sleep(10 * ++id);
    await write(String(id));
    return readRestartCount(path) >= before + 2;
  };
  expect(await waitUntil(restartedTwice, "the WAL to restart", 12_000)).toBe(true);
});

test("stop ends the thread after a last checkpoint", async () => {
  const { checkpoints, write, inFile, failures } = await open();
  await waitFor(checkpoints.stop(), "stop before start");
  checkpoints.start();
  await write("the last one");
  await waitFor(checkpoints.stop(), "the thread to exit");
  expect(inFile("the last one")).toBe(true);
  await waitFor(checkpoints.stop(), "a second stop");
  expect(failures).toEqual([]);
});

test("reports a thread that cannot open the file, without blocking stop", async () => {
  const failures: Error[] = [];
  const nowhere = { location: () => "/nowhere/sluice.db" } as DatabaseSync;
  const checkpoints = new Checkpoints(nowhere, (error) => failures.push(error), 20);
  checkpoints.start();
  await waitUntil(() => failures.length > 0, "the failure");
  await waitFor(checkpoints.stop(), "the thread to exit");
  expect(failures).toEqual([expect.objectContaining({ code: "ERR_SQLITE_ERROR" })]);
});

test("reports failed checkpoints once, and retries them", async () => {
  const { checkpoints, failures, path, write, inFile } = await open();
  checkpoints.start();
  await write("before the WAL is lost");
  await waitUntil(() => inFile("before the WAL is lost"), "the first checkpoint");
  let id = 0;
  const loseWal = async (): Promise<boolean> => {
    // The row may be in the database file before its WAL is truncated.
    await write(String(++id)).catch(() => {});
    truncateSync(`${path}-wal`);
    await sleep(40);
    return failures.length > 0;
  };
  await waitUntil(loseWal, "the failure");
  // Long enough for a few more checkpoints.
  await sleep(100);
  await waitFor(checkpoints.stop(), "the thread to exit");
  expect(failures).toEqual([expect.objectContaining({ message: "disk I/O error" })]);
  expect(failures[0]?.stack).toContain("Timeout.checkpoint");
});

test("reports a thread that cannot be started, without blocking stop", async () => {
  const failures: Error[] = [];
  const uncloneable = { location: () => (() => {}) as unknown as string } as DatabaseSync;
  const checkpoints = new Checkpoints(uncloneable, (error) => failures.push(error), 20);
  checkpoints.start();
  await waitFor(checkpoints.stop(), "stop without a thread");
  expect(failures).toEqual([expect.objectContaining({ name: "DataCloneError" })]);
});
