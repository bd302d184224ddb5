import { formatEvent, type Scenario, buildUsage, buildRecord } from "./hostile-openrouter.ts";
import { waitFor } from "./wait.ts";

// Responses of a hostile upstream and the costs it bills, for `hostile-upstream.test.ts`.

const COST_USD = 0.5;
const FORGED = { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1, cost: 0 };
/** A part of the client's request that upstream echoes in its response. It contains a forged cost. */
export const ECHO = {
  model: "a/b",
  usage: FORGED,
  tools: [{ parameters: { properties: { usage: FORGED } } }],
};
const DONE = formatEvent("[DONE]");
const CHUNK = { provider: "Prov", model: "a/b", choices: [{ index: 0, delta: { content: "x" } }] };
const SSE = "text/event-stream";

interface Case extends Scenario {
  /** The client disconnects when it has received this text; undefined: it reads to the end. */
  readonly disconnectsAfter?: string;
  /** Set if the row must become unknown. Otherwise the row must have the billed cost. */
  readonly unknown?: true;
}

const head = (id: string, type: string): Record<string, string> => ({
  "content-type": type,
  "x-generation-id": id,
});
/** Responds with a complete stream whose head states the generation id. */
const stream =
  (...before: unknown[]): Scenario["respond"] =>
  (response, id) => {
    response.writeHead(200, head(id, SSE));
    const usage = { id, ...CHUNK, usage: buildUsage(COST_USD) };
    response.end(
      [...before.map((value) => formatEvent({ id, ...(value as object) })), formatEvent(usage), DONE].join(
        "",
      ),
    );
  };
/** Responds with the beginning of a response, and waits for the client to disconnect. Upstream bills nevertheless. */
const respondPartially =
  (
    type: string,
    text: (id: string) => string,
    headers = (id: string) => head(id, type),
  ): Scenario["respond"] =>
  async (response, id) => {
    response.writeHead(200, headers(id));
    response.write(text(id));
    const closed = new Promise((resolve) => response.once("close", resolve));
    await waitFor(closed, "the gateway to close the request", 20_000).catch(() => response.destroy());
  };
const json =
  (status: number, body: unknown, type = "application/json"): Scenario["respond"] =>
  (response) => {
    response.writeHead(status, { "content-type": type });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
/** A case in which the client disconnects, so that only the generation record states the cost. */
const byRecord = (record: NonNullable<Scenario["record"]>): Case => ({
  respond: respondPartially(SSE, (id) => formatEvent({ id, ...CHUNK, content: "leave now" })),
  disconnectsAfter: "leave now",
  costUsd: COST_USD,
  record,
});

/** Responses in which upstream echoes JSON of the client, and other misleading responses. */
export const ECHOES: Readonly<Record<string, Case>> = {
  "an echo in the first chunk": {
    respond: stream({ choices: [], debug: { echo_upstream_body: ECHO } }),
    costUsd: COST_USD,
  },
  "an echo after the cost": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const usage = { id, ...CHUNK, usage: buildUsage(COST_USD) };
      response.end(formatEvent(usage) + formatEvent({ id, ...CHUNK, openrouter_metadata: ECHO }) + DONE);
    },
    costUsd: COST_USD,
  },
  "an echo before a disconnect": {
    respond: respondPartially(SSE, (id) =>
      formatEvent({ id, choices: [], debug: { echo_upstream_body: ECHO } }),
    ),
    disconnectsAfter: "echo_upstream_body",
    costUsd: COST_USD,
  },
  "a text that contains [DONE]": {
    respond: respondPartially(SSE, (id) =>
      formatEvent({ id, ...CHUNK, debug: ECHO, content: `data: [DONE]${"x".repeat(240)}` }),
    ),
    disconnectsAfter: "data: [DONE]x",
    costUsd: COST_USD,
  },
  "an error that contains the client's JSON": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const error = { code: 502, message: "Provider error", metadata: { raw: ECHO } };
      response.end(formatEvent({ id, ...CHUNK, error, usage: buildUsage(COST_USD) }) + DONE);
    },
    costUsd: COST_USD,
  },
  "a JSON response with an echo after its cost": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      response.end(`\n \n${JSON.stringify({ id, usage: buildUsage(COST_USD), choices: [], debug: ECHO })}`);
    },
    costUsd: COST_USD,
  },
  "a JSON response without a cost": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      response.end(JSON.stringify({ id, choices: [], debug: { echo_upstream_body: ECHO } }));
    },
    costUsd: COST_USD,
  },
  "a truncated JSON response that ends like a complete one": {
    respond: (response, id) => {
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, head(id, "application/json"));
      response.end(`{"id":"${id}","debug":{"usage":{"prompt_tokens":1,"cost":0}}`);
    },
    costUsd: COST_USD,
  },
  "a cost in an event with a raw line separator": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const early = { id, ...CHUNK, usage: buildUsage(0.001) };
      response.end(
        formatEvent(early) + formatEvent({ id, note: "\u2028", usage: buildUsage(COST_USD) }) + DONE,
      );
    },
    costUsd: COST_USD,
  },
  "a cost in an event that is too long": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const last = { id, ...CHUNK, debug: "x".repeat(1_200_000), usage: buildUsage(COST_USD) };
      response.end(formatEvent({ id, ...CHUNK, usage: buildUsage(0.001) }) + formatEvent(last) + DONE);
    },
    costUsd: COST_USD,
  },
  "a clean end after a partial cost": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      response.end(formatEvent({ id, ...CHUNK, usage: buildUsage(0.001) }));
    },
    costUsd: COST_USD,
  },
  "a JSON response truncated after the client's JSON": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      response.end(`{"id":"${id}","debug":{"echo_upstream_body":{"usage":{"prompt_tokens":1,"cost":0}}`);
    },
    costUsd: COST_USD,
  },
  "two JSON documents in one response": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      const usage = JSON.stringify({ id, usage: buildUsage(COST_USD) });
      response.end(`${usage}${JSON.stringify({ id, usage: FORGED })}`);
    },
    costUsd: COST_USD,
  },
  "an id in a first event that is too long": {
    respond: respondPartially(
      SSE,
      (id) => `data: ${JSON.stringify({ id, debug: `${"x".repeat(1_200_000)}leave now` })}`,
      () => ({ "content-type": SSE }),
    ),
    disconnectsAfter: "leave now",
    costUsd: COST_USD,
  },
  "an empty id in the first event": {
    respond: respondPartially(
      SSE,
      (id) => formatEvent({ id: "", choices: [] }) + formatEvent({ id, ...CHUNK, content: "leave now" }),
      () => ({ "content-type": SSE }),
    ),
    disconnectsAfter: "leave now",
    costUsd: COST_USD,
  },
  "an id that only the stream states": {
    respond: respondPartially(
      SSE,
      (id) => formatEvent({ id, ...CHUNK, content: "leave now" }),
      () => ({ "content-type": SSE }),
    ),
    disconnectsAfter: "leave now",
    costUsd: COST_USD,
  },
  "an id that only the JSON states": {
    respond: respondPartially(
      "application/json",
      (id) => `\n \n{"id":"${id}","provider":"Prov","model":"a/b","choices":[{"x":"leave now"`,
      () => ({ "content-type": "application/json" }),
    ),
    disconnectsAfter: "leave now",
    costUsd: COST_USD,
  },
};

/** Generation records that are wrong, incomplete or late. */
export const RECORDS: Readonly<Record<string, Case>> = {
  "the record of another generation": byRecord((lookUp) =>
    lookUp === 1 ? buildRecord("gen-another", 0.000_01) : undefined,
  ),
  "a cost as a string": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: "0.5" })),
  "a cost only in usage": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: undefined })),
  "a record that is provisional at first": byRecord((lookUp, id) =>
    lookUp > 2
      ? undefined
      : buildRecord(id, 0, {
          native_tokens_prompt: null,
          native_tokens_completion: null,
          tokens_prompt: null,
          tokens_completion: null,
        }),
  ),
  "a record that is missing, then provisional": byRecord((lookUp, id) =>
    lookUp <= 7
      ? buildRecord(id, undefined)
      : lookUp === 8
        ? buildRecord(id, 0, { native_tokens_prompt: null, tokens_prompt: null, native_tokens_completion: 0 })
        : undefined,
  ),
  "a record whose token counts are 0 at first": byRecord((lookUp, id) =>
    lookUp > 2 ? undefined : buildRecord(id, 0, { native_tokens_prompt: 0, native_tokens_completion: 0 }),
  ),
  "a total cost of 0 beside a usage cost": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: 0 })),
  "a cost as an empty string": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: "" })),
  "HTML in place of a record": byRecord((lookUp) =>
    lookUp === 1 ? { status: 404, body: "<html>", headers: { "content-type": "text/html" } } : undefined,
  ),
  "a record without a cost": byRecord((lookUp, id) =>
    lookUp === 1 ? buildRecord(id, COST_USD, { total_cost: null, usage: null }) : undefined,
  ),
  "a negative cost": byRecord((lookUp, id) =>
    lookUp === 1 ? buildRecord(id, COST_USD, { total_cost: -1, usage: -1 }) : undefined,
  ),
  "a record that is not JSON": byRecord((lookUp) =>
    lookUp === 1 ? { status: 200, body: "<html>" } : undefined,
  ),
  "a record after an error": byRecord((lookUp) =>
    lookUp === 1 ? { status: 502, body: "<html>Bad gateway</html>" } : undefined,
  ),
};

/** Error responses. Only some of them prove that nothing was charged. */
export const REFUSALS: Readonly<Record<string, Case>> = {
  "a 400 in OpenRouter's format": { respond: json(400, { error: { code: 400, message: "No" } }) },
  "a 429 in OpenRouter's format": { respond: json(429, { error: { code: 429, message: "Slow down" } }) },
  "a 408 as HTML": { respond: json(408, "<html>", "text/html"), unknown: true },
  "a 499 without a body": { respond: json(499, "", "text/plain"), unknown: true },
  "a 502 as HTML": { respond: json(502, "<html>", "text/html"), unknown: true },
  "a 520 as HTML": { respond: json(520, "<html>", "text/html"), unknown: true },
  "a 522 as HTML": { respond: json(522, "<html>", "text/html"), unknown: true },
  "a 523 as text": { respond: json(523, "error code: 523", "text/plain"), unknown: true },
  "a 502 in JSON of another shape": {
    respond: json(502, { message: "Bad gateway", status: 502 }),
    unknown: true,
  },
  "a 400 in truncated JSON": { respond: json(400, '{"error":{"code":400,"mess'), unknown: true },
};
