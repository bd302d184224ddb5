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

/** Parses the ids of a response, and the response itself if it is one JSON text. */
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

/** Reads a page in one of the formats, and checks that header and body name the same next cursor. */
async function pageOf(port: number, query: string, format: string): Promise<Page> {
  const path = `/admin/v1/requests?${PERIOD}&${query}&format=${format}`;
  const { status, headers, body } = await sendRequest(port, { method: "GET", path, body: "" });
  expect([status, body.toString().slice(0, 200)]).toEqual([200, expect.anything()]);
  const next = headers["x-next-cursor"];
  const { ids, json } = parse(body.toString(), format);
  const whole = { data: expect.anything() as unknown, next_cursor: next ?? null };
  expect([json]).toEqual(format === "json" ? [whole] : [undefined]);
  return { ids, next };
}

/** Reads all pages. */
async function pagesOf(port: number, query: string, format: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (let next: string | undefined = ""; next !== undefined;) {
    const page: Page = await pageOf(port, next === "" ? query : `${query}&cursor=${next}`, format);
    pages.push(page);
    ({ next } = page);
  }
  return pages;
}

/** Tests of paging over the ledger, for any database. */
export function testRequestPaging(open: OpenDatabase): void {
  test("pages contain every row once, whatever the limit, the order, the filters and the format", async () => {
    const database = await open();
    // Several requests begin in the same millisecond.
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
          const pages = await pagesOf(port, `${filter}&order=${order}&limit=${limit}`, format);
          const ids = matching.map(({ id }) => id);
          const about = [filter, order, limit, format];
          expect([about, pages.flatMap((page) => page.ids)]).toEqual([
            about,
            order === "asc" ? ids : ids.toReversed(),
          ]);
          expect([about, pages.length]).toEqual([about, Math.max(1, Math.ceil(ids.length / limit))]);
        }
  });

  test("a cursor stays valid when rows are added and deleted, its own row included", async () => {
    const database = await open();
    const rows = Array.from({ length: 10 }, (_, index) => createSettledRow(index * 10));
    await insertRequests(database, rows);
    const { port } = await startAdminApp(database);
    const { next } = await pageOf(port, "limit=4", "json");
    await database.kysely
      .deleteFrom("requests")
      .where("id", "<=", rows[3]?.id ?? "")
      .execute();
    await insertRequests(database, [createSettledRow(5), createSettledRow(45)]);
    const { ids } = await pageOf(port, `limit=100&cursor=${next}`, "json");
    expect(ids).toEqual([rows[4]?.id, createSettledRow(45).id, ...rows.slice(5).map(({ id }) => id)]);
  });

  test("streams all rows after the cursor in the shape of an export when there is no limit", async () => {
    const database = await open();
    const rows = Array.from({ length: 500 }, (_, index) => createSettledRow(index));
    await insertRequests(database, rows);
    const { port } = await startAdminApp(database);
    const { next } = await pageOf(port, "limit=20", "json");
    const path = `/admin/v1/requests?${PERIOD}&cursor=${next}`;
    const answer = await sendRequest(port, { method: "GET", path, body: "" });
    expect(answer.headers["x-next-cursor"]).toBeUndefined();
    const json = JSON.parse(answer.body.toString()) as { data: { id: string }[] };
    expect(Object.keys(json)).toEqual(["data"]);
    expect(json.data.map(({ id }) => id)).toEqual(rows.slice(20).map(({ id }) => id));
  });
}
