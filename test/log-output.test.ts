import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { until } from "./support/until.ts";

const LOGGER = JSON.stringify(new URL("../src/logger.ts", import.meta.url).href);
const DEADLINE_MS = 20_000;
const FLAGS = ["--input-type=module", "--eval"];

/** Counts the writes of standard output that a process makes for a line, and while it has nothing to say. */
const QUIET = `
  import fs from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  let writes = 0;
  const { write } = fs;
  fs.write = (fd, ...rest) => {
    if (fd === 1) writes++;
    return write(fd, ...rest);
  };
  const { createLogger } = await import(${LOGGER});
  createLogger("info").info("a line");
  while (writes === 0) await sleep(10);
  const before = writes;
  await sleep(1_000);
  process.stderr.write(before + " " + (writes - before));`;

test("a process that logs nothing writes nothing", async () => {
  const run = await promisify(execFile)(process.execPath, [...FLAGS, QUIET], { timeout: DEADLINE_MS });
  expect(run.stderr).toBe("1 0");
  expect(run.stdout).toContain("a line");
});

/** Says more than a pipe holds while nobody reads, then a line that is too short to be written for its own sake. */
const BURST = `
  import { setTimeout as sleep } from "node:timers/promises";
  const { createLogger } = await import(${LOGGER});
  const logger = createLogger("info");
  logger.info("x".repeat(500_000));
  logger.info("the last line");
  await sleep(300);
  process.stderr.write("said");
  setInterval(() => {}, 1_000);`;

test("what is logged while nobody reads is written when somebody does, without another line", async () => {
  const child = spawn(process.execPath, [...FLAGS, BURST]);
  try {
    await once(child.stderr, "data");
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => void (text += chunk.toString()));
    await until(() => text.includes("the last line"), "the last line");
    expect(text.trimEnd().split("\n")).toHaveLength(2);
  } finally {
    child.kill();
  }
});
