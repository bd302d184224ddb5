import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const MODULE = JSON.stringify(new URL("../src/kept-tick.ts", import.meta.url).href);
const DEADLINE_MS = 20_000;

/** A process that ticks, is collected while no tick is under way, and ticks again. Says what V8 knows of `nextTick` then. */
const SCRIPT = `
  const { keepTick } = await import(${MODULE});
  const ticks = async () => {
    for (let count = 0; count < 300; count++) await new Promise((resolve) => process.nextTick(resolve));
  };
  if (process.argv.includes("keep")) await keepTick();
  await ticks();
  for (let count = 0; count < 5; count++) {
    await new Promise(setImmediate);
    gc();
  }
  await ticks();
  const slots = %GetFeedback(process.nextTick).map(String);
  console.log(JSON.stringify(slots.filter((slot) => slot.startsWith("DefineKeyedOwn"))));`;

async function shapesKnown(...words: string[]): Promise<string[]> {
  const flags = ["--expose-gc", "--allow-natives-syntax", "--input-type=module"];
  const run = await promisify(execFile)(process.execPath, [...flags, "--eval", SCRIPT, ...words], {
    timeout: DEADLINE_MS,
  });
  const slots = JSON.parse(run.stdout) as string[];
  expect(slots).toHaveLength(5);
  return [...new Set(slots.map((slot) => slot.split(",")[1] ?? slot))];
}

test("V8 still knows the one shape of ticks after a collection that met none under way", async () => {
  expect(await shapesKnown("keep")).toEqual(["MONOMORPHIC"]);
});

test("without a kept tick V8 takes them for objects of any shape: the reason for keeping one", async () => {
  expect(await shapesKnown()).toContain("MEGAMORPHIC");
});
