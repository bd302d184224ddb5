import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { waitUntil } from "../support/wait.ts";

const LOGGER = JSON.stringify(new URL("../../src/observability/logger.ts", import.meta.url).href);
const DEADLINE_MS = 20_000;
const FLAGS = ["--input-type=module", "--eval"];

/** A process that says something, is read, and reports how many empty writes it makes then: more than it keeps is dropped. */
const emptyWritesAfter = (say: string): string => `
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
  ${say};
  await sleep(1_500);
  process.stderr.write(String(empty));`;

test.each([
  ["a line", 'logger.info("a line")'],
  ["a line that is written for its length", 'logger.info("x".repeat(70_000))'],
  ["more than it keeps", 'for (let count = 0; count < 200; count++) logger.info("x".repeat(100_000))'],
])("a process that has logged %s and then nothing writes nothing", async (_, say) => {
  const run = await promisify(execFile)(process.execPath, [...FLAGS, emptyWritesAfter(say)], {
    timeout: DEADLINE_MS,
    maxBuffer: 100_000_000,
  });
  expect(run.stderr).toBe("0");
  expect(run.stdout).toMatch(/"msg":"(a line|x+)"/);
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
    await waitUntil(() => text.includes("the last line"), "the last line");
    expect(text.trimEnd().split("\n")).toHaveLength(2);
  } finally {
    child.kill();
  }
});

/** A process whose writes fail from the middle of the first line on, until its fourth. */
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

test("lines that cannot be written are dropped, and their number is logged when lines can be written again", async () => {
  const run = await promisify(execFile)(process.execPath, [...FLAGS, FAILING], { timeout: DEADLINE_MS });
  const lines = run.stdout.trimEnd().split("\n");
  // The half of the first line that was written stays on a line of its own.
  expect(lines[0]).toHaveLength(20);
  expect(lines.slice(1).map((line) => JSON.parse(line) as object)).toMatchObject([
    { msg: "fourth" },
    { level: 50, msg: "log: lines dropped", lines: 3 },
  ]);
});
