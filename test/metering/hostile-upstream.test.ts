import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startHostileOpenRouter } from "../support/hostile-openrouter.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { waitUntil, waitFor } from "../support/wait.ts";
import { ECHO, ECHOES, RECORDS, REFUSALS } from "../support/hostile-responses.ts";

// Compares the ledger with the costs at an upstream that echoes requests, mixes up its records, and fails in odd ways.

/** Sends the request of one case. Disconnects when the response contains `leavesAfter`, if that is defined. */
function call(gateway: KeyedGateway, name: string, leavesAfter: string | undefined): Promise<void> {
  const done = new Promise<void>((resolve) => {
    const sent = request({
      port: gateway.port,
      host: "127.0.0.1",
      agent: false,
      method: "POST",
      path: "/openai/v1/chat/completions",
      headers: {
        authorization: `Bearer ${gateway.caller}`,
        "content-type": "application/json",
        "x-request-id": name.replaceAll(/\W/g, "_"),
      },
    });
    sent.on("error", () => resolve());
    sent.on("response", (response) => {
      let seen = "";
      response.on("data", (chunk: Buffer) => {
        seen += chunk.toString();
        if (leavesAfter !== undefined && seen.includes(leavesAfter)) sent.destroy();
      });
      response.on("error", () => {});
      response.on("close", () => resolve());
    });
    sent.end(
      JSON.stringify({
        model: `scenario/${name}`,
        stream: true,
        messages: [{ role: "user", content: "expensive" }],
        tools: ECHO.tools,
      }),
    );
  });
  return waitFor(done, `the response to ${name}`, 30_000);
}

interface LedgerRow {
  readonly request_id: string;
  readonly state: string;
  readonly cost_usd: string | null;
  readonly forwarded_model: string;
}

async function readFinalRows(gateway: KeyedGateway, count: number): Promise<LedgerRow[]> {
  return waitUntil(
    async () => {
      const { body } = await gateway.callAdmin("GET", "/requests");
      const rows = (body as { data: LedgerRow[] }).data;
      await sleep(50);
      return rows.length === count && rows.every(({ state }) => state === "settled" || state === "unknown")
        ? rows
        : undefined;
    },
    "every row to be final",
    60_000,
  );
}

test.each([
  ["echoes requests", ECHOES],
  ["returns strange generation records", RECORDS],
  ["rejects requests in strange ways", REFUSALS],
] as const)(
  "records the right costs of an upstream that %s",
  async (_, cases) => {
    const upstream = await startHostileOpenRouter(cases);
    const gateway = await startKeyedGateway(upstream.baseUrl);
    const names = Object.keys(cases);
    await Promise.all(names.map((name) => call(gateway, name, cases[name]?.disconnectsAfter)));
    const rows = await readFinalRows(gateway, names.length);
    const found = rows.map(({ forwarded_model, state, cost_usd }) => [
      forwarded_model,
      state === "unknown" ? state : Number(cost_usd),
    ]);
    const costs = names.map((name) => [
      `scenario/${name}`,
      cases[name]?.unknown ? "unknown" : (cases[name]?.costUsd ?? 0),
    ]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(costs));
  },
  120_000,
);
