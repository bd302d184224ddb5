import { expect, test } from "vitest";
import { RESPONSES } from "../fixtures/responses.ts";
import { findChangedResponses, cutAtRandom, type CutIntoWrites } from "../fixtures/replay.ts";
import { formatChunk, LAST_CHUNK } from "../support/scripted-upstream.ts";

const SHORT_BYTES = 700;
const short = RESPONSES.filter(({ body }) => body.length > 0 && body.length <= SHORT_BYTES);

test(
  "relays responses byte for byte when they are split in two at any position",
  { timeout: 300_000 },
  async () => {
    expect(short.length).toBeGreaterThan(20);
    const cases = short.flatMap((answer) =>
      Array.from(answer.body, (_, at) => ({ ...answer, name: `${answer.name}, split at ${at}`, at })),
    );
    const inTwo: CutIntoWrites = (head, body, index) => {
      const at = cases[index]?.at ?? 0;
      const chunks = [body.subarray(0, at), body.subarray(at)]
        .filter((part) => part.length > 0)
        .map(formatChunk);
      return [Buffer.from(head), ...chunks, Buffer.from(LAST_CHUNK)];
    };
    expect(await findChangedResponses(cases, inTwo)).toEqual([]);
  },
);

test("relays responses byte for byte when they are split at random", { timeout: 300_000 }, async () => {
  const often = Array.from({ length: 20 }, () => RESPONSES).flat();
  expect(await findChangedResponses(often, cutAtRandom)).toEqual([]);
});
