import { expect, test } from "vitest";
import { findChangedResponses, cutAtRandom, cutIntoBytes, OWN_KEYS } from "../fixtures/replay.ts";
import { recordedResponses } from "./recordings.ts";

const missing = recordedResponses.length === 0;
const TIMEOUT_MS = 480_000;

test.skipIf(missing)(
  "relays every recorded response byte for byte when each byte arrives separately",
  { timeout: TIMEOUT_MS },
  async () => {
    expect(await findChangedResponses(recordedResponses, cutIntoBytes, OWN_KEYS)).toEqual([]);
  },
);

test.skipIf(missing)(
  "relays every recorded response byte for byte when it is split at random",
  { timeout: TIMEOUT_MS },
  async () => {
    const thrice = [...recordedResponses, ...recordedResponses, ...recordedResponses];
    expect(await findChangedResponses(thrice, cutAtRandom, OWN_KEYS)).toEqual([]);
  },
);
