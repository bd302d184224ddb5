import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { isUnavailable } from "../../src/store/database-errors.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startPostgres } from "../support/postgres.ts";
import { startSilentProxy } from "../support/silent-proxy.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { measureRunningMs, waitUntil, waitFor } from "../support/wait.ts";

test("the database client closes a connection after 20 s without a reply, and the next connection works", async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.close());
  const url = new URL(await postgres.createDatabase());
  const proxy = await startSilentProxy(Number(url.port));
  url.port = String(proxy.port);
  const database = await openTestDatabase(url.href);
  const query = (): Promise<unknown> => sql`select 1`.execute(database.kysely);
  await query();
  proxy.silence();
  const failure = await waitFor(
    query().then(
      () => undefined,
      (error: unknown) => error,
    ),
    "the silent connection to be closed",
    25_000,
  );
  expect(failure).toBeInstanceOf(Error);
  expect(isUnavailable(failure)).toBe(true);
  await waitFor(query(), "a result over a new connection");
}, 60_000);

test("20 concurrent readiness checks report a silent database within 3 s, and a later check reports that the database is back", async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.close());
  const url = new URL(await postgres.createDatabase());
  const proxy = await startSilentProxy(Number(url.port));
  url.port = String(proxy.port);
  const gateway = await startTestGateway("http://127.0.0.1:9", {
    DATABASE_URL: url.href,
    DATA_DIR: createTemporaryDirectory(),
  });
  const readiness = async (): Promise<[number, string[]]> => {
    const { status, body } = await sendRequest(gateway.port, { method: "GET", path: "/readyz", body: "" });
    return [status, (JSON.parse(body.toString()) as { failing: string[] }).failing];
  };
  await waitUntil(async () => (await readiness())[0] === 200, "the gateway to be ready");
  proxy.silence();
  const responses = Array.from({ length: 20 }, readiness);
  const all = waitFor(Promise.all(responses), "the readiness responses");
  expect(await measureRunningMs(all)).toBeLessThan(3_000);
  for (const response of await all) expect(response).toEqual([503, ["database"]]);
  await waitUntil(async () => (await readiness())[0] === 200, "the gateway to be ready again", 40_000);
}, 60_000);
