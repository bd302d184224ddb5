import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { isUnavailable } from "../../src/store/database-errors.ts";
import { sendRequest as askGateway } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil, waitFor } from "../support/wait.ts";

/** A way to a server on which connections can die without a word, as behind a firewall that has forgotten them. */
async function startWay(to: number): Promise<{ port: number; silence: () => void }> {
  const sockets = new Set<Socket>();
  const way = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    near.pipe(far).pipe(near);
  });
  way.listen(0, "127.0.0.1");
  await once(way, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    way.close();
  });
  return {
    port: (way.address() as AddressInfo).port,
    silence() {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

test("a connection that dies without a word is given up after 20 seconds, and the next one works", async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.close());
  const url = new URL(await postgres.createDatabase());
  const way = await startWay(Number(url.port));
  url.port = String(way.port);
  const database = await openTestDatabase(url.href);
  const ask = (): Promise<unknown> => sql`select 1`.execute(database.kysely);
  await ask();
  way.silence();
  const failure = await waitFor(
    ask().then(
      () => undefined,
      (error: unknown) => error,
    ),
    "the connection to be given up",
    25_000,
  );
  expect(failure).toBeInstanceOf(Error);
  expect(isUnavailable(failure)).toBe(true);
  await waitFor(ask(), "an answer over a new connection");
}, 60_000);

test("readiness says within 3 s that a database is silent, however often it is asked, and heals", async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.close());
  const url = new URL(await postgres.createDatabase());
  const way = await startWay(Number(url.port));
  url.port = String(way.port);
  const gateway = await startTestGateway("http://127.0.0.1:9", {
    DATABASE_URL: url.href,
    DATA_DIR: createTemporaryDirectory(),
  });
  const readiness = async (): Promise<[number, string[]]> => {
    const { status, body } = await askGateway(gateway.port, { method: "GET", path: "/readyz", body: "" });
    return [status, (JSON.parse(body.toString()) as { failing: string[] }).failing];
  };
  await waitUntil(async () => (await readiness())[0] === 200, "the gateway to be ready");
  way.silence();
  const asked = Array.from({ length: 20 }, readiness);
  for (const answer of await waitFor(Promise.all(asked), "the answers", 3_000))
    expect(answer).toEqual([503, ["database"]]);
  await waitUntil(async () => (await readiness())[0] === 200, "the gateway to be ready again", 40_000);
}, 60_000);
