import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { testReaders } from "../store/reader-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitFor } from "../support/wait.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const open = async (): Promise<Database> => openTestDatabase(await postgres.createDatabase());

testReaders(open);

test("three streams to slow readers leave the ledger's connections free, and a fourth stream is rejected", async () => {
  const { kysely, reports } = await open();
  const streams = Array.from({ length: 4 }, () =>
    reports.getExecutor().stream(sql`select generate_series(1, 100)`.compile(reports), 10),
  );
  const begun = await Promise.allSettled(streams.map(async (stream) => stream.next()));
  expect(begun.map(({ status }) => status).toSorted()).toEqual([
    "fulfilled",
    "fulfilled",
    "fulfilled",
    "rejected",
  ]);
  const writes = Array.from({ length: 10 }, (_, index) =>
    kysely
      .insertInto("instances")
      .values({ id: String(index), started_at: 0, seen_at: 0 })
      .execute(),
  );
  await waitFor(Promise.all(writes), "ten writes beside the streams");
  for (const stream of streams) await stream.return?.(undefined);
  expect((await sql`select 1`.execute(reports)).rows).toHaveLength(1);
}, 60_000);
