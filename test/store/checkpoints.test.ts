import { closeSync, openSync, readFileSync, readSync, truncateSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Checkpoints } from "../../src/store/checkpoints.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil, waitFor } from "../support/wait.ts";

/** An open file and its checkpoints, which have not begun. */
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

/** How often a log has begun anew: it says so itself, in bytes 12 to 15. */
function beginningsOf(path: string): number {
  const file = openSync(`${path}-wal`, "r");
  const header = Buffer.alloc(16);
  readSync(file, header, 0, 16, 0);
  closeSync(file);
  return header.readUInt32BE(12);
}

test("what SQLite has in its log comes to its file without the connection that writes", async () => {
  const { checkpoints, write, inFile } = await open();
  checkpoints.start();
  await write("instance-of-the-test");
  expect(await waitUntil(() => inFile("instance-of-the-test"), "the row in the file")).toBe(true);
});

test("a log that is wholly in the file begins anew", async () => {
  const { checkpoints, write, path } = await open();
  checkpoints.start();
  await write("0");
  const before = beginningsOf(path);
  let id = 0;
  const begunTwice = async (): Promise<boolean> => {
    // Between two writes there has to be time for a checkpoint, however slow the disk is.
    await sleep(10 * ++id);
    await write(String(id));
    return beginningsOf(path) >= before + 2;
  };
  expect(await waitUntil(begunTwice, "the log to begin anew", 12_000)).toBe(true);
});

test("when it is stopped all is in the file, and the thread is gone", async () => {
  const { checkpoints, write, inFile, failures } = await open();
  await waitFor(checkpoints.stop(), "what has not begun to be stopped");
  checkpoints.start();
  await write("the last one");
  await waitFor(checkpoints.stop(), "the thread to end");
  expect(inFile("the last one")).toBe(true);
  await waitFor(checkpoints.stop(), "what has ended to be stopped");
  expect(failures).toEqual([]);
});

test("a thread that cannot open the file is told of, and holds up nobody", async () => {
  const failures: Error[] = [];
  const nowhere = { location: () => "/nowhere/sluice.db" } as DatabaseSync;
  const checkpoints = new Checkpoints(nowhere, (error) => failures.push(error), 20);
  checkpoints.start();
  await waitUntil(() => failures.length > 0, "the failure");
  await waitFor(checkpoints.stop(), "the thread to end");
  expect(failures).toEqual([expect.objectContaining({ code: "ERR_SQLITE_ERROR" })]);
});

test("checkpoints that fail are told of once, and go on being tried", async () => {
  const { checkpoints, failures, path, write, inFile } = await open();
  checkpoints.start();
  await write("before the log is lost");
  await waitUntil(() => inFile("before the log is lost"), "the first checkpoint");
  let id = 0;
  const loseLog = async (): Promise<boolean> => {
    // What is written may be in the file already when its log is lost.
    await write(String(++id)).catch(() => {});
    truncateSync(`${path}-wal`);
    await sleep(40);
    return failures.length > 0;
  };
  await waitUntil(loseLog, "the failure");
  // A handful of further ones.
  await sleep(100);
  await waitFor(checkpoints.stop(), "the thread to end");
  expect(failures).toEqual([expect.objectContaining({ message: "disk I/O error" })]);
  expect(failures[0]?.stack).toContain("Timeout.checkpoint");
});

test("where no thread can be made that is told, and the gateway goes on", async () => {
  const failures: Error[] = [];
  const unspeakable = { location: () => (() => {}) as unknown as string } as DatabaseSync;
  const checkpoints = new Checkpoints(unspeakable, (error) => failures.push(error), 20);
  checkpoints.start();
  await waitFor(checkpoints.stop(), "what was never there to be stopped");
  expect(failures).toEqual([expect.objectContaining({ name: "DataCloneError" })]);
});
