import { expect, test } from "vitest";
import { startBilledSimulator } from "../support/billed-simulator.ts";
import { createBudgetedKey } from "../support/budgeted-key.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const USAGE = {
  prompt_tokens: 1,
  input_tokens: 1,
  completion_tokens: 0,
  output_tokens: 0,
  total_tokens: 1,
  cost: 0,
  cost_details: { upstream_inference_cost: 0 },
};
/** Forged ends of a response, as the model or OpenRouter may repeat them. */
const FORGED = {
  id: "gen-1760000000-forged",
  type: "response.completed",
  response: { id: "gen-1760000000-forged", status: "completed", usage: USAGE },
  message: { id: "gen-1760000000-forged", usage: USAGE },
  error: { code: 402, message: "Insufficient credits" },
  usage: USAGE,
};
const TEXT = `${JSON.stringify(FORGED)}\n\ndata: ${JSON.stringify(FORGED)}\n\ndata: [DONE]\n\n`;
/** A tool whose arguments are the forged object, and which a response repeats. */
const PARAMETERS = {
  type: "object",
  properties: {
    usage: { const: USAGE },
    response: { const: FORGED.response },
    error: { const: FORGED.error },
  },
};
const MODEL = "openai/gpt-4o-mini";
const MESSAGES = [{ role: "user", content: TEXT }];
const ECHOED = { metadata: FORGED, user: TEXT, stop: ["usage"], debug: { echo_upstream_body: true } };

/** Requests whose responses contain a forged cost of 0: path, behaviour of the simulator, and fields. */
const ATTACKS: readonly (readonly [path: string, behaviour: string, fields: object])[] = [
  ["chat/completions", "ok", { messages: MESSAGES, max_tokens: 900, ...ECHOED }],
  ["chat/completions", "debug", { messages: MESSAGES, max_tokens: 900, ...ECHOED }],
  ["chat/completions", "empty-choices", { messages: MESSAGES, max_tokens: 900 }],
  [
    "chat/completions",
    "ok",
    {
      messages: MESSAGES,
      max_tokens: 900,
      tools: [{ type: "function", function: { name: "f", parameters: PARAMETERS } }],
    },
  ],
  ["completions", "debug", { prompt: TEXT, max_tokens: 900, ...ECHOED }],
  ["responses", "ok", { input: TEXT, instructions: TEXT, max_output_tokens: 900, metadata: FORGED }],
  [
    "responses",
    "eventLines",
    {
      input: TEXT,
      max_output_tokens: 900,
      metadata: { usage: USAGE },
      tools: [{ type: "function", name: "f", parameters: PARAMETERS }],
    },
  ],
  [
    "messages",
    "ok",
    { messages: MESSAGES, system: TEXT, max_tokens: 900, metadata: { user_id: TEXT, ...FORGED } },
  ],
  [
    "messages",
    "ok",
    { messages: MESSAGES, max_tokens: 900, tools: [{ name: "f", input_schema: PARAMETERS }] },
  ],
];

const BEHAVIOUR_OPTIONS = "events=8,gapMs=1,split=97";
const toBehaviour = (name: string): string =>
  name === "eventLines" ? `ok:eventLines=1,${BEHAVIOUR_OPTIONS}` : `${name}:${BEHAVIOUR_OPTIONS}`;

test.each(["cancel", "drain"])(
  "a forged usage in a response is not its cost (on_disconnect: %s)",
  async (onDisconnect) => {
    const upstream = await startBilledSimulator();
    const gateway = await startKeyedGateway(upstream.simulator.baseUrl);
    const key = await createBudgetedKey(gateway, 10, { on_disconnect: onDisconnect });
    const attack = async (index: number, options: { stream: boolean; leaves: boolean }): Promise<void> => {
      const [path, behaviour, fields] = ATTACKS[index] ?? ["", "", {}];
      const client = new RawClient(gateway.port);
      const headers = { authorization: `Bearer ${key.secret}`, "x-session-id": toBehaviour(behaviour) };
      const body = JSON.stringify({ model: MODEL, stream: options.stream, ...fields });
      client.post(`/openai/v1/${path}`, body, headers);
      const isEnough = (): boolean => {
        const response = client.readResponse();
        return response?.complete === true || (options.leaves && (response?.body.includes("cost") ?? false));
      };
      await waitUntil(isEnough, `the response to attack ${index}`);
      expect([path, client.readResponse()?.status]).toEqual([path, 200]);
      client.socket.destroy();
    };
    const attacks: Promise<void>[] = [];
    for (let index = 0; index < ATTACKS.length; index++)
      for (const stream of [true, false])
        for (const leaves of [true, false]) attacks.push(attack(index, { stream, leaves }));
    await Promise.all(attacks);
    await waitUntil(async () => {
      const { spent, presumed } = await key.readBudget();
      return presumed === 0 && spent > 0 && spent === upstream.billed;
    }, "the budget to contain all bills");
    const rows = await readRows(gateway);
    expect(rows.filter(({ cost_nanodollars }) => !cost_nanodollars)).toEqual([]);
    for (const { cost_nanodollars, generation_id } of rows)
      expect(cost_nanodollars).toBe(upstream.simulator.findBilledNanodollars(generation_id ?? ""));
  },
);

test("a long echo of a forged usage after the usage of a document is not its cost", async () => {
  const simulator = await startTestSimulator();
  let requests = 0;
  const BILL = 12_345;
  simulator.intercept((exchange, body) => {
    const request = JSON.parse(body.toString()) as { metadata: object; instructions: string };
    const usage = { input_tokens: 9, output_tokens: 9, cost: BILL / 1e9 };
    const { metadata, instructions } = request;
    const id = `gen-176000000${requests++}-real`;
    const document = {
      id,
      object: "response",
      status: "completed",
      usage,
      output: [],
      metadata,
      instructions,
    };
    exchange.sendJson(200, JSON.stringify(document), ["X-Generation-Id", id]);
  });
  const gateway = await startKeyedGateway(simulator.baseUrl, { SETTLE_AFTER_MS: "60000" });
  const key = await createBudgetedKey(gateway, 10);
  for (const length of [0, 70_000, 1_100_000, 3_000_000]) {
    const padding = "x".repeat(length);
    const metadata = { padding, ...FORGED };
    const fields = {
      model: MODEL,
      input: "Hi",
      max_output_tokens: 9,
      metadata,
      instructions: `${padding}${TEXT}`,
    };
    const response = await gateway.call(key.secret, {
      path: "/openai/v1/responses",
      body: JSON.stringify(fields),
    });
    expect(response.status).toBe(200);
  }
  await gateway.stop();
  const rows = await readRows(gateway);
  // A cost that cannot be read is looked up later. Until then, the worst case is presumed.
  expect(rows.map(({ state, cost_nanodollars }) => (state === "settled" ? cost_nanodollars : state))).toEqual(
    expect.arrayContaining([BILL]),
  );
  for (const { state, cost_nanodollars } of rows)
    expect(state === "pending" || cost_nanodollars === BILL).toBe(true);
});
