import { expect, test } from "vitest";
import { LookUpQueue } from "../../src/auth/look-up-queue.ts";

const CONCURRENT_MAX = 4;
const WAITING_MAX = 4_000;

const waitForTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Creates look-ups that end when the test resolves them. */
function createLookUps(queue: LookUpQueue) {
  const started: number[] = [];
  const ends: PromiseWithResolvers<number>[] = [];
  const start = (count: number): Promise<number>[] =>
    Array.from({ length: count }, () => {
      const end = Promise.withResolvers<number>();
      const index = ends.push(end) - 1;
      return queue.run(() => {
        started.push(index);
        return end.promise;
      });
    });
  return { started, ends, start };
}

test("runs at most four look-ups at once, and starts the others in order, even after a look-up that fails", async () => {
  const { started, ends, start } = createLookUps(new LookUpQueue());
  const all = start(7);
  await waitForTurn();
  expect(started).toEqual([0, 1, 2, 3]);
  ends[2]?.resolve(2);
  ends[0]?.reject(new Error("down"));
  await expect(all[0]).rejects.toThrow("down");
  await waitForTurn();
  expect(started).toEqual([0, 1, 2, 3, 4, 5]);
  for (const end of ends) end.resolve(1);
  expect(await Promise.all(all.slice(1))).toEqual([1, 2, 1, 1, 1, 1]);
  expect(started).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("a full queue refuses a look-up with 503, and accepts look-ups again when it is empty", async () => {
  const queue = new LookUpQueue();
  const { ends, start } = createLookUps(queue);
  const all = start(CONCURRENT_MAX + WAITING_MAX);
  await expect(queue.run(() => Promise.resolve(1))).rejects.toMatchObject({
    status: 503,
    code: "store_unavailable",
    headers: { "retry-after": "1" },
  });
  for (const end of ends) end.resolve(1);
  await Promise.all(all);
  expect(await queue.run(() => Promise.resolve(2))).toBe(2);
});
