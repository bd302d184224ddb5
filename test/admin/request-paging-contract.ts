import { expect, test } from "vitest";
import { insertRequests, type OpenDatabase, createSettledRow } from "../support/ledger-rows.ts";
import { sendRequest } from "../support/send-request.ts";
import { startAdminApp } from "../support/admin-app.ts";

const PERIOD = "from=2026-11-01&to=2026-12-01";
const COUNT = 450;

interface Page {
  readonly ids: readonly string[];
  readonly next: string | undefined;
}

interface JsonPage {
  readonly data: readonly { readonly id: string }[];
}

/** @returns the ids in a response body and, if the format is JSON, the parsed body. */
function parse(text: string, format: string): { ids: string[]; json: unknown } {
  if (format === "json") {
    const json = JSON.parse(text) as JsonPage;
    return { ids: json.data.map(({ id }) => id), json };
  }
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  const ids =
    format === "csv"
      ? lines.slice(1).map((line) => line.split(",", 1)[0] ?? "")
      : lines.map((line) => (JSON.parse(line) as { id: string }).id);
  return { ids, json: undefined };
}

/** Reads a page in one of the formats, and checks that the header and the body contain the same next cursor. */
async function readPage(port: number, query: string, format: string): Promise<Page> {
  const path = `/admin/v1/requests?${PERIOD}&${query}&format=${format}`;
  const { status, headers, body } = await sendRequest(port, { method: "GET", path, body: "" });
  expect([status, body.toString().slice(0, 200)]).toEqual([200, expect.anything()]);
  const next = headers["x-next-cursor"];
  const { ids, json } = parse(body.toString(), format);
  const whole = { data: expect.anything() as unknown, next_cursor: next ?? null };
  expect([json]).toEqual(format === "json" ? [whole] : [undefined]);
  return { ids, next };
}

/** Reads a page and all pages after it. */
async function readPages(port: number, query: string, format: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (let next: string | undefined = ""; next !== undefined;) {
    const page: Page = await readPage(port, next === "" ? query : `${query}&cursor=${next}`, format);
    pages.push(page);
    ({ next } = page);
  }
  return pages;
}

/** Tests of paging over the ledger, for any database. */
export function testRequestPaging(open: OpenDatabase): void {
  test("all pages together contain every matching row once, for any limit, order, filter and format", async () => {
    const database = await open();
    // Seven requests begin in each millisecond.
    const rows = Array.from({ length: COUNT }, (_, index) =>
      createSettledRow(
        Math.floor(index / 7),
        {
          key_id: index % 3 === 0 ? "env:team" : "env:other",
          state: index % 5 === 0 ? "unknown" : "settled",
        },
        index,
      ),
    );
    await insertRequests(database, rows);
    const { port } = await startAdminApp(database);
    const filters = {
      "": rows,
      "key=env:team": rows.filter(({ key_id }) => key_id === "env:team"),
      "state=unknown": rows.filter(({ state }) => state === "unknown"),
      "key=env:team&state=settled": rows.filter(
        (row) => row.key_id === "env:team" && row.state === "settled",
      ),
      "key=env:nobody": [],
    };
    for (const [filter, matching] of Object.entries(filters))
      for (const order of ["asc", "desc"])
        for (const [limit, format] of [
          [37, "json"],
          [matching.length || 1, "csv"],
          [90, "ndjson"],
          [5_000, "json"],
        ] as const) {
          const pages = await readPages(port, `${filter}&order=${order}&limit=${limit}`, format);
          const ids = matching.map(({ id }) => id);
          const parameters = [filter, order, limit, format];
          expect([parameters, pages.flatMap((page) => page.ids)]).toEqual([
            parameters,
            order === "asc" ? ids : ids.toReversed(),
          ]);
          expect([parameters, pages.length]).toEqual([
            parameters,
            Math.max(1, Math.ceil(ids.length / limit)),
          ]);
        }
  });

  test("a cursor stays valid when rows are added and deleted, even if its own row is deleted", async () => {
    const database = await open();
    const rows = Array.from({ length: 10 }, (_, index) => createSettledRow(index * 10));
    await insertRequests(database, rows);
    const { port } = await startAdminApp(database);
    const { next } = await readPage(port, "limit=4", "json");
    await database.kysely
      .deleteFrom("requests")
      .where("id", "<=", rows[3]?.id ?? "")
      .execute();
    await insertRequests(database, [createSettledRow(5), createSettledRow(45)]);
    const { ids } = await readPage(port, `limit=100&cursor=${next}`, "json");
    expect(ids).toEqual([rows[4]?.id, createSettledRow(45).id, ...rows.slice(5).map(({ id }) => id)]);
  });

  test("streams all rows after the cursor, in the format of an export, when the request has no limit", async () => {
    const database = await open();
    const rows = Array.from({ length: 500 }, (_, index) => createSettledRow(index));
    await insertRequests(database, rows);
    const { port } = await startAdminApp(database);
    const { next } = await readPage(port, "limit=20", "json");
    const path = `/admin/v1/requests?${PERIOD}&cursor=${next}`;
    const response = await sendRequest(port, { method: "GET", path, body: "" });
    expect(response.headers["x-next-cursor"]).toBeUndefined();
    const json = JSON.parse(response.body.toString()) as { data: { id: string }[] };
    expect(Object.keys(json)).toEqual(["data"]);
    expect(json.data.map(({ id }) => id)).toEqual(rows.slice(20).map(({ id }) => id));
  });
}
