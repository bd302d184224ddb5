import { expect, onTestFinished, test } from "vitest";
import type { RequestRow } from "../../src/metering/record.ts";
import { toNanodollars } from "../../src/money.ts";
import { openDatabase } from "../../src/store/database.ts";
import {
  cutAtRandom,
  cutEvery,
  type CutIntoWrites,
  cutIntoBytes,
  cutNowhere,
  findChangedRequests,
  findChangedResponses,
} from "../fixtures/replay.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { addPrefix, recordedExchanges, type RecordedExchange } from "./recordings.ts";

const missing = recordedExchanges.length === 0;
const TIMEOUT_MS = 300_000;

/** The fields of a recorded response that the ledger has, or of the response in the last event of a stream. */
interface Stated {
  readonly id?: string;
  readonly model?: string;
  readonly provider?: string;
  readonly usage: Readonly<Record<string, number | undefined>>;
}

/** Parses a recorded response independently of the gateway. */
function parseStated({ body, contentType }: RecordedExchange): Stated {
  const text = body.toString();
  if (!contentType.startsWith("text/event-stream")) return JSON.parse(text) as Stated;
  const last = text.match(/(?<=^data: )\{.*/gm)?.at(-1) ?? "";
  return (JSON.parse(last) as { response: Stated }).response;
}

/** Returns the columns that the ledger must have for an exchange. */
function toExpectedRow(exchange: RecordedExchange): Partial<RequestRow> {
  const { endpoint, status, request, contentType } = exchange;
  const { model } = JSON.parse(request.clientBody.toString()) as { model: string };
  const common = {
    endpoint,
    status,
    requested_model: model,
    forwarded_model: model,
    state: "settled",
  } as const;
  if (status !== 200) return { ...common, cost_nanodollars: 0, cost_source: "none" };
  const { usage, id = "", provider = null, model: responseModel } = parseStated(exchange);
  return {
    ...common,
    cost_nanodollars: toNanodollars(usage["cost"] ?? Number.NaN),
    cost_source: contentType.startsWith("text/event-stream") ? "stream" : "body",
    // Rerankings state only the total.
    prompt_tokens: usage["prompt_tokens"] ?? usage["input_tokens"] ?? usage["total_tokens"] ?? null,
    completion_tokens: usage["output_tokens"] ?? 0,
    outcome: "complete",
    response_model: responseModel ?? null,
    provider,
    // Some recorders replaced the ids.
    ...(id.startsWith("gen-") && { generation_id: id }),
  };
}

/** Reads the ledger in the order of the exchanges, which their sessions state. */
async function readLedger(dataDir: string): Promise<RequestRow[]> {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  const query = database.kysely.selectFrom("requests").selectAll();
  const rows = await waitUntil(async () => {
    const all = await query.execute();
    const isEnded = all.every(({ state }) => state !== "open");
    return all.length === recordedExchanges.length && isEnded ? all : undefined;
  }, "a row for each exchange");
  const toIndex = ({ session }: RequestRow): number => Number(session?.replace("case-", ""));
  return rows.toSorted((a, b) => toIndex(a) - toIndex(b));
}

test.skipIf(missing)("finds the recordings of each endpoint", () => {
  const counts = Map.groupBy(recordedExchanges, ({ endpoint }) => endpoint);
  expect(Object.fromEntries(Array.from(counts, ([endpoint, { length }]) => [endpoint, length]))).toEqual({
    embeddings: 12,
    rerank: 1,
    responses: 4,
  });
});

test.skipIf(missing)("forwards every recorded request of the other endpoints byte for byte", async () => {
  const requests = recordedExchanges.map(({ request }) => request);
  expect(await findChangedRequests(requests)).toEqual([]);
});

test.skipIf(missing)(
  "removes only the prefix from every recorded request of the other endpoints",
  async () => {
    const prefixed = recordedExchanges.map(({ request }) => addPrefix(request));
    const shortened = prefixed.filter(
      ({ clientBody, upstreamBody }) => upstreamBody.length < clientBody.length,
    );
    expect(shortened).toHaveLength(recordedExchanges.length);
    expect(await findChangedRequests(prefixed)).toEqual([]);
  },
);

const PIECES: readonly (readonly [name: string, CutIntoWrites])[] = [
  ["one write", cutNowhere],
  ["single bytes", cutIntoBytes],
  ["pieces of random sizes", cutAtRandom],
  ...[64, 1_000, 4_096, 16_384, 65_536].map((size) => [`pieces of ${size} bytes`, cutEvery(size)] as const),
];

test.skipIf(missing).each(PIECES)(
  "relays every recorded response of the other endpoints byte for byte in %s, and records its tokens and its cost",
  { timeout: TIMEOUT_MS },
  async (_, cutIntoWrites) => {
    const DATA_DIR = createTemporaryDirectory();
    expect(await findChangedResponses(recordedExchanges, cutIntoWrites, { DATA_DIR })).toEqual([]);
    expect(await readLedger(DATA_DIR)).toMatchObject(recordedExchanges.map(toExpectedRow));
  },
);
