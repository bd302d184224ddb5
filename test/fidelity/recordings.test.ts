import process from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import {
  findChangedResponses,
  cutAtRandom,
  cutNowhere,
  OWN_KEYS,
  findChangedRequests,
} from "../fixtures/replay.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { DIRECTORY, prefixedRequests, recordedResponses, recordedRequests } from "./recordings.ts";

const missing = recordedRequests.length === 0;
const TIMEOUT_MS = 300_000;

test("finds the recordings, or warns loudly that they are missing", async ({ annotate }) => {
  if (missing) {
    const warning = `NOT CHECKED: no recordings in ${DIRECTORY}; only the project's own fixtures were checked`;
    console.warn(`\n${"!".repeat(warning.length)}\n${warning}\n${"!".repeat(warning.length)}\n`);
    await annotate(warning);
  }
  const mayBeMissing = !process.env["CI"] && !process.env["RECORDINGS_DIR"];
  expect(!missing || mayBeMissing).toBe(true);
});

test.skipIf(missing)("forwards every recorded request byte for byte", { timeout: TIMEOUT_MS }, async () => {
  expect(recordedRequests.length).toBeGreaterThan(300);
  expect(await findChangedRequests(recordedRequests)).toEqual([]);
});

test.skipIf(missing)(
  "removes only the prefix from every recorded request whose model has a prefix",
  { timeout: TIMEOUT_MS },
  async () => {
    const shortened = prefixedRequests.filter(
      ({ clientBody, upstreamBody }) => upstreamBody.length === clientBody.length - "openrouter/".length,
    );
    expect(shortened.length).toBeGreaterThan(200);
    expect(await findChangedRequests(prefixedRequests)).toEqual([]);
  },
);

test.skipIf(missing)(
  "relays every recorded response byte for byte when it arrives in one write",
  { timeout: TIMEOUT_MS },
  async () => {
    const responses = recordedResponses.filter(({ status }) => status !== 401);
    expect(responses.length).toBeGreaterThan(300);
    expect(await findChangedResponses(responses, cutNowhere)).toEqual([]);
  },
);

test.skipIf(missing)(
  "forwards and relays all recordings byte for byte with a ledger",
  { timeout: TIMEOUT_MS },
  async () => {
    const DATA_DIR = createTemporaryDirectory();
    expect(await findChangedRequests(recordedRequests, { DATA_DIR })).toEqual([]);
    const responses = recordedResponses.filter(({ status }) => status !== 401);
    for (const cutIntoWrites of [cutNowhere, cutAtRandom])
      expect(await findChangedResponses(responses, cutIntoWrites, { DATA_DIR })).toEqual([]);
    const database = openDatabase({ dataDir: DATA_DIR, databaseUrl: undefined }, () => {});
    onTestFinished(() => database.close());
    const rows = database.kysely.selectFrom("requests").select("id");
    const all = recordedRequests.length + 2 * responses.length;
    await waitUntil(async () => (await rows.execute()).length === all, "a row for each request");
  },
);

test.skipIf(missing)(
  "relays every recorded response, including 401, byte for byte to clients with keys of their own",
  { timeout: TIMEOUT_MS },
  async () => {
    expect(recordedResponses.map(({ status }) => status)).toContain(401);
    expect(await findChangedResponses(recordedResponses, cutNowhere, OWN_KEYS)).toEqual([]);
  },
);
