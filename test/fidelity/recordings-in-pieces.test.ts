import { expect, test } from "vitest";
import { answersChanged, atRandom, byteByByte, OWN_KEYS } from "../fixtures/replay.ts";
import { recordedAnswers } from "./recordings.ts";

const missing = recordedAnswers.length === 0;
const TIMEOUT_MS = 480_000;

test.skipIf(missing)(
  "every recorded answer that comes byte by byte reaches the caller bit for bit",
  { timeout: TIMEOUT_MS },
  async () => {
    expect(await answersChanged(recordedAnswers, byteByByte, OWN_KEYS)).toEqual([]);
  },
);

test.skipIf(missing)(
  "every recorded answer that is split at random reaches the caller bit for bit",
  { timeout: TIMEOUT_MS },
  async () => {
    const thrice = [...recordedAnswers, ...recordedAnswers, ...recordedAnswers];
    expect(await answersChanged(thrice, atRandom, OWN_KEYS)).toEqual([]);
  },
);
