import { formatEvent, type Scenario, buildUsage, buildRecord } from "./hostile-openrouter.ts";
import { waitFor } from "./wait.ts";

// What a hostile upstream does, and what it bills, for `hostile-upstream.test.ts`.

const COST_USD = 0.5;
const FORGED = { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1, cost: 0 };
/** JSON of the client's that upstream repeats. */
export const ECHO = {
  model: "a/b",
  usage: FORGED,
  tools: [{ parameters: { properties: { usage: FORGED } } }],
};
const DONE = formatEvent("[DONE]");
const CHUNK = { provider: "Prov", model: "a/b", choices: [{ index: 0, delta: { content: "x" } }] };
const SSE = "text/event-stream";

interface Case extends Scenario {
  /** The client leaves when it has read this; undefined: it reads to the end. */
  readonly leavesAfter?: string;
  /** The row ends as unknown; otherwise it has what was billed. */
  readonly unknown?: true;
}

const head = (id: string, type: string): Record<string, string> => ({
  "content-type": type,
  "x-generation-id": id,
});
/** A whole stream with an id in its head. */
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
/** Something after which the client leaves; upstream bills all the same. */
const beginning =
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
/** The client leaves, so that only the record says what it cost. */
const byRecord = (record: NonNullable<Scenario["record"]>): Case => ({
  respond: beginning(SSE, (id) => formatEvent({ id, ...CHUNK, content: "leave now" })),
  leavesAfter: "leave now",
  costUsd: COST_USD,
  record,
});

/** Answers in which upstream repeats JSON of the client's. */
export const ECHOES: Readonly<Record<string, Case>> = {
  "an echo in the first chunk": {
    respond: stream({ choices: [], debug: { echo_upstream_body: ECHO } }),
    costUsd: COST_USD,
  },
  "an echo after the bill": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const usage = { id, ...CHUNK, usage: buildUsage(COST_USD) };
      response.end(formatEvent(usage) + formatEvent({ id, ...CHUNK, openrouter_metadata: ECHO }) + DONE);
    },
    costUsd: COST_USD,
  },
  "an echo before a cut": {
    respond: beginning(SSE, (id) => formatEvent({ id, choices: [], debug: { echo_upstream_body: ECHO } })),
    leavesAfter: "echo_upstream_body",
    costUsd: COST_USD,
  },
  "a text that is [DONE]": {
    respond: beginning(SSE, (id) =>
      formatEvent({ id, ...CHUNK, debug: ECHO, content: `data: [DONE]${"x".repeat(240)}` }),
    ),
    leavesAfter: "data: [DONE]x",
    costUsd: COST_USD,
  },
  "an error with the client's JSON in it": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const error = { code: 502, message: "Provider error", metadata: { raw: ECHO } };
      response.end(formatEvent({ id, ...CHUNK, error, usage: buildUsage(COST_USD) }) + DONE);
    },
    costUsd: COST_USD,
  },
  "a JSON answer with an echo behind its bill": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      response.end(`\n \n${JSON.stringify({ id, usage: buildUsage(COST_USD), choices: [], debug: ECHO })}`);
    },
    costUsd: COST_USD,
  },
  "a JSON answer without a bill": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      response.end(JSON.stringify({ id, choices: [], debug: { echo_upstream_body: ECHO } }));
    },
    costUsd: COST_USD,
  },
  "a cut JSON answer whose end looks whole": {
    respond: (response, id) => {
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, head(id, "application/json"));
      response.end(`{"id":"${id}","debug":{"usage":{"prompt_tokens":1,"cost":0}}`);
    },
    costUsd: COST_USD,
  },
  "a bill in an event with a raw line separator": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const early = { id, ...CHUNK, usage: buildUsage(0.001) };
      response.end(
        formatEvent(early) + formatEvent({ id, note: "\u2028", usage: buildUsage(COST_USD) }) + DONE,
      );
    },
    costUsd: COST_USD,
  },
  "a bill in an event that is too long": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      const last = { id, ...CHUNK, debug: "x".repeat(1_200_000), usage: buildUsage(COST_USD) };
      response.end(formatEvent({ id, ...CHUNK, usage: buildUsage(0.001) }) + formatEvent(last) + DONE);
    },
    costUsd: COST_USD,
  },
  "a clean end after a part of the bill": {
    respond: (response, id) => {
      response.writeHead(200, head(id, SSE));
      response.end(formatEvent({ id, ...CHUNK, usage: buildUsage(0.001) }));
    },
    costUsd: COST_USD,
  },
  "a JSON answer that is cut behind the client's JSON": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      response.end(`{"id":"${id}","debug":{"echo_upstream_body":{"usage":{"prompt_tokens":1,"cost":0}}`);
    },
    costUsd: COST_USD,
  },
  "two JSON answers in one": {
    respond: (response, id) => {
      response.writeHead(200, head(id, "application/json"));
      const bill = JSON.stringify({ id, usage: buildUsage(COST_USD) });
      response.end(`${bill}${JSON.stringify({ id, usage: FORGED })}`);
    },
    costUsd: COST_USD,
  },
  "an id in a first event that is too long": {
    respond: beginning(
      SSE,
      (id) => `data: ${JSON.stringify({ id, debug: `${"x".repeat(1_200_000)}leave now` })}`,
      () => ({ "content-type": SSE }),
    ),
    leavesAfter: "leave now",
    costUsd: COST_USD,
  },
  "an id that is empty at first": {
    respond: beginning(
      SSE,
      (id) => formatEvent({ id: "", choices: [] }) + formatEvent({ id, ...CHUNK, content: "leave now" }),
      () => ({ "content-type": SSE }),
    ),
    leavesAfter: "leave now",
    costUsd: COST_USD,
  },
  "an id that only the stream states": {
    respond: beginning(
      SSE,
      (id) => formatEvent({ id, ...CHUNK, content: "leave now" }),
      () => ({ "content-type": SSE }),
    ),
    leavesAfter: "leave now",
    costUsd: COST_USD,
  },
  "an id that only the JSON states": {
    respond: beginning(
      "application/json",
      (id) => `\n \n{"id":"${id}","provider":"Prov","model":"a/b","choices":[{"x":"leave now"`,
      () => ({ "content-type": "application/json" }),
    ),
    leavesAfter: "leave now",
    costUsd: COST_USD,
  },
};

/** Records of generations that are strange. */
export const RECORDS: Readonly<Record<string, Case>> = {
  "the record of another generation": byRecord((asked) =>
    asked === 1 ? buildRecord("gen-another", 0.000_01) : undefined,
  ),
  "a cost that is a string": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: "0.5" })),
  "a cost under usage alone": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: undefined })),
  "a record that is provisional at first": byRecord((asked, id) =>
    asked > 2
      ? undefined
      : buildRecord(id, 0, {
          native_tokens_prompt: null,
          native_tokens_completion: null,
          tokens_prompt: null,
          tokens_completion: null,
        }),
  ),
  "a record that is provisional after it was missing": byRecord((asked, id) =>
    asked <= 7
      ? buildRecord(id, undefined)
      : asked === 8
        ? buildRecord(id, 0, { native_tokens_prompt: null, tokens_prompt: null, native_tokens_completion: 0 })
        : undefined,
  ),
  "a record whose counts are 0 at first": byRecord((asked, id) =>
    asked > 2 ? undefined : buildRecord(id, 0, { native_tokens_prompt: 0, native_tokens_completion: 0 }),
  ),
  "a cost of 0 beside a usage": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: 0 })),
  "a cost that is an empty text": byRecord((_, id) => buildRecord(id, COST_USD, { total_cost: "" })),
  "a page instead of no record": byRecord((asked) =>
    asked === 1 ? { status: 404, body: "<html>", headers: { "content-type": "text/html" } } : undefined,
  ),
  "a record without a cost": byRecord((asked, id) =>
    asked === 1 ? buildRecord(id, COST_USD, { total_cost: null, usage: null }) : undefined,
  ),
  "a cost below zero": byRecord((asked, id) =>
    asked === 1 ? buildRecord(id, COST_USD, { total_cost: -1, usage: -1 }) : undefined,
  ),
  "a record that is no JSON": byRecord((asked) =>
    asked === 1 ? { status: 200, body: "<html>" } : undefined,
  ),
  "a record that comes after an error": byRecord((asked) =>
    asked === 1 ? { status: 502, body: "<html>Bad gateway</html>" } : undefined,
  ),
};

/** Errors, some of which prove that nothing was charged. */
export const REFUSALS: Readonly<Record<string, Case>> = {
  "a 400 of OpenRouter's": { respond: json(400, { error: { code: 400, message: "No" } }) },
  "a 429 of OpenRouter's": { respond: json(429, { error: { code: 429, message: "Slow down" } }) },
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
  "a 400 in JSON that is cut": { respond: json(400, '{"error":{"code":400,"mess'), unknown: true },
};
