import { expect, test } from "vitest";
import { findChangedResponses, cutAtRandom, cutIntoBytes, OWN_KEYS } from "../fixtures/replay.ts";
import { recordedResponses } from "./recordings.ts";

const missing = recordedResponses.length === 0;
const TIMEOUT_MS = 480_000;

test.skipIf(missing)(
  "every recorded answer that comes byte by byte reaches the caller bit for bit",
  { timeout: TIMEOUT_MS },
  async () => {
    expect(await findChangedResponses(recordedResponses, cutIntoBytes, OWN_KEYS)).toEqual([]);
  },
);

test.skipIf(missing)(
  "every recorded answer that is split at random reaches the caller bit for bit",
  { timeout: TIMEOUT_MS },
  async () => {
    const thrice = [...recordedResponses, ...recordedResponses, ...recordedResponses];
    expect(await findChangedResponses(thrice, cutAtRandom, OWN_KEYS)).toEqual([]);
  },
);
