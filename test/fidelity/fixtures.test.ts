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
    const cases = short.flatMap((response) =>
      Array.from(response.body, (_, position) => ({
        ...response,
        name: `${response.name}, split at ${position}`,
        position,
      })),
    );
    const cutInTwo: CutIntoWrites = (head, body, index) => {
      const position = cases[index]?.position ?? 0;
      const chunks = [body.subarray(0, position), body.subarray(position)]
        .filter((part) => part.length > 0)
        .map(formatChunk);
      return [Buffer.from(head), ...chunks, Buffer.from(LAST_CHUNK)];
    };
    expect(await findChangedResponses(cases, cutInTwo)).toEqual([]);
  },
);

test("relays responses byte for byte when they are split at random", { timeout: 300_000 }, async () => {
  const repeated = Array.from({ length: 20 }, () => RESPONSES).flat();
  expect(await findChangedResponses(repeated, cutAtRandom)).toEqual([]);
});
