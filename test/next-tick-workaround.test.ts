import { expect, test } from "vitest";
import { runNode } from "./support/run-node.ts";
import { waitUntil } from "./support/wait.ts";

/** Ticks, is collected while no tick is under way, ticks again, and says what V8 knows of what `nextTick` makes. */
const EXAMINE = `
  const ticks = async () => {
    for (let count = 0; count < 300; count++) await new Promise((resolve) => process.nextTick(resolve));
  };
  await ticks();
  for (let count = 0; count < 5; count++) {
    await new Promise(setImmediate);
    gc();
  }
  await ticks();
  const slots = %GetFeedback(process.nextTick).map(String);
  process.stderr.write(JSON.stringify(slots.filter((slot) => slot.startsWith("DefineKeyedOwn"))));`;
const WHEN_TOLD = `process.once("SIGUSR2", async () => {${EXAMINE}});`;
const [FIRST, ...FLAGS] = ["--expose-gc", "--allow-natives-syntax"] as const;

function shapesIn(report: string): string[] {
  const slots = JSON.parse(report) as string[];
  expect(slots).toHaveLength(5);
  return [...new Set(slots.map((slot) => slot.split(",")[1] ?? slot))];
}

test("V8 still knows the one shape of a gateway's ticks after a collection that met none under way", async () => {
  const preload = ["--import", `data:text/javascript,${encodeURIComponent(WHEN_TOLD)}`];
  const gateway = runNode(FIRST, { PORT: "0" }, [...FLAGS, ...preload, "src/server.ts"]);
  await waitUntil(() => gateway.stdout().includes('"url"'), "the gateway to listen", 10_000);
  gateway.child.kill("SIGUSR2");
  const report = await waitUntil(() => /\[.*\]/.exec(gateway.stderr())?.[0], "its report");
  expect(shapesIn(report)).toEqual(["MONOMORPHIC"]);
});

test("without a kept tick V8 takes them for objects of any shape: the reason for keeping one", async () => {
  const bare = runNode(FIRST, {}, [...FLAGS, "--input-type=module", "--eval", EXAMINE]);
  expect(await bare.waitForExit("the process")).toBe(0);
  expect(shapesIn(bare.stderr())).toContain("MEGAMORPHIC");
});
