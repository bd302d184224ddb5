import { expect, test } from "vitest";
import { TOKEN_COUNTS } from "../../src/metering/record.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

/** All token counts that the ledger has, each with a different value. */
const USAGE = {
  prompt_tokens: 101,
  completion_tokens: 102,
  total_tokens: 203,
  cost: 0.000_06,
  prompt_tokens_details: { cached_tokens: 103, cache_write_tokens: 104, audio_tokens: 106 },
  completion_tokens_details: { reasoning_tokens: 105 },
};
const RESPONSE = formatResponse(
  200,
  { "content-type": "application/json" },
  JSON.stringify({ id: "gen-1", model: "a/b", object: "chat.completion", choices: [], usage: USAGE }),
);

/** Parses a CSV of one header line and one line of values. */
function parseCsv(text: string): Record<string, string> {
  const [head = "", line = ""] = text.split("\r\n");
  const values = line.split(",");
  return Object.fromEntries(head.split(",").map((name, index) => [name, values[index] ?? ""]));
}

test("writes every token count of a response to its record and to reports, as JSON and as CSV", async () => {
  const upstream = await startScriptedUpstream((socket) => socket.write(RESPONSE));
  const gateway = await startKeyedGateway(upstream.baseUrl);
  const expected = Object.fromEntries(TOKEN_COUNTS.map((name, index) => [name, 101 + index]));
  expect((await gateway.call(gateway.caller)).status).toBe(200);
  const read = async (path: string) => (await gateway.callAdmin("GET", path)).body;
  const report = await waitUntil(async () => {
    const body = await read("/usage?by=key");
    return body.data.length > 0 ? body : undefined;
  }, "the request to be counted");
  expect([(await read("/requests")).data, report.data, report.total]).toMatchObject([
    [expected],
    [expected],
    expected,
  ]);
  const texts = Object.fromEntries(Object.entries(expected).map(([name, count]) => [name, String(count)]));
  for (const path of ["/requests?format=csv", "/usage?by=key&format=csv"])
    expect(parseCsv(await read(path))).toMatchObject(texts);
});
