import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { waitUntil } from "../support/wait.ts";

const LOG_OUTPUT = JSON.stringify(new URL("../../src/observability/log-output.ts", import.meta.url).href);
const LOGGER = JSON.stringify(new URL("../../src/observability/logger.ts", import.meta.url).href);
const DEADLINE_MS = 20_000;
const FLAGS = ["--input-type=module", "--eval"];

/**
 * Builds the script of a process that runs a log statement, and then prints how many log writes were empty. In the
 * case `more than the buffer`, the logger drops some lines.
 */
const buildScript = (statement: string): string => `
  import fs from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  let empty = 0;
  const { write } = fs;
  fs.write = (fd, bytes, ...rest) => {
    if (fd === 1 && bytes.length === 0) empty++;
    return write(fd, bytes, ...rest);
  };
  const { createLogger } = await import(${LOGGER});
  const logger = createLogger("info");
  ${statement};
  await sleep(1_500);
  process.stderr.write(String(empty));`;

test.each([
  ["a line", 'logger.info("a line")'],
  ["a line that is long enough to be flushed", 'logger.info("x".repeat(70_000))'],
  ["more than the buffer", 'for (let count = 0; count < 200; count++) logger.info("x".repeat(100_000))'],
])("a process that has logged %s makes no empty writes", async (_, statement) => {
  const run = await promisify(execFile)(process.execPath, [...FLAGS, buildScript(statement)], {
    timeout: DEADLINE_MS,
    maxBuffer: 100_000_000,
  });
  expect(run.stderr).toBe("0");
  expect(run.stdout).toMatch(/"msg":"(a line|x+)"/);
});

/** Script of a process that first logs more than an unread pipe can hold. It then logs a line too short to cause a flush. */
const BURST = `
  import { setTimeout as sleep } from "node:timers/promises";
  const { createLogger } = await import(${LOGGER});
  const logger = createLogger("info");
  logger.info("x".repeat(500_000));
  logger.info("the last line");
  await sleep(300);
  process.stderr.write("logged");
  setInterval(() => {}, 1_000);`;

test("the logger writes its buffered lines as soon as the pipe is read, and does not wait for another line", async () => {
  const child = spawn(process.execPath, [...FLAGS, BURST]);
  try {
    await once(child.stderr, "data");
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => void (text += chunk.toString()));
    await waitUntil(() => text.includes("the last line"), "the last line");
    expect(text.trimEnd().split("\n")).toHaveLength(2);
  } finally {
    child.kill();
  }
});

/** Script of a process whose log writes fail in the middle of the first line, and succeed again from the fourth line. */
const FAILING = `
  import fs from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  const { write } = fs;
  let failing = true;
  let cut = false;
  fs.write = (fd, bytes, done) => {
    if (fd !== 1 || !failing) return write(fd, bytes, done);
    if (cut) return void setImmediate(done, Object.assign(new Error("disk full"), { code: "ENOSPC" }), 0);
    cut = true;
    write(fd, bytes.subarray(0, 20), done);
  };
  const { createLogger } = await import(${LOGGER});
  const logger = createLogger("info");
  for (const line of ["first", "second", "third"]) {
    logger.info(line);
    await sleep(250);
  }
  failing = false;
  logger.info("fourth");
  await sleep(400);`;

test("the logger drops lines that cannot be written, and logs their number when writes succeed again", async () => {
  const run = await promisify(execFile)(process.execPath, [...FLAGS, FAILING], { timeout: DEADLINE_MS });
  const lines = run.stdout.trimEnd().split("\n");
  // The first 20 bytes of the first line were written. They stay on a line of their own.
  expect(lines[0]).toHaveLength(20);
  expect(lines.slice(1).map((line) => JSON.parse(line) as object)).toMatchObject([
    { msg: "fourth" },
    { level: 50, msg: "log: lines dropped", lines: 3 },
  ]);
});

/** Script of a process whose pipe is not read until it has logged more than its buffer can hold. */
const BLOCKED = `
  import { LogOutput } from ${LOG_OUTPUT};
  const { createLogger } = await import(${LOGGER});
  const output = new LogOutput();
  const logger = createLogger("info", output);
  for (let count = 0; count < 300; count++) logger.info("x".repeat(100_000));
  process.stderr.write(String(output.droppedLines));
  setInterval(() => {}, 1_000);`;

test("the output counts the lines that are dropped while its pipe is blocked, before it can log their number", async () => {
  const child = spawn(process.execPath, [...FLAGS, BLOCKED]);
  try {
    const [count] = (await once(child.stderr, "data")) as [Buffer];
    const dropped = Number(count.toString());
    // The buffer holds 16 MiB of the 30 MB.
    expect(dropped).toBeGreaterThan(100);
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => void (text += chunk.toString()));
    await waitUntil(() => text.includes(`"lines":${dropped},"msg":"log: lines dropped"`), "the report");
  } finally {
    child.kill();
  }
});
