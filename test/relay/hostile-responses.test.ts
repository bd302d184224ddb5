import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutIntoPieces, inspectResponse } from "../support/inspect-response.ts";

// Upstream repeats the client's JSON in some fields: `debug.echo_upstream_body`, `error.metadata.raw`, tool schemas,
// `openrouter_metadata`. Whatever these contain, the gateway must read the usage, id and model that upstream itself states.

const ID = "gen-1760000000-AbCdEfGhIjKlMnOpQrSt";
const BILL = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500, cost: 0.5 };
const READ = { tokens: { prompt_tokens: 1_000, completion_tokens: 500 }, costUsd: 0.5 };
const FORGED = { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1, cost: 0 };
const HEAD = { id: ID, provider: "Prov", model: "a/b" };
const STREAM = { contentType: "text/event-stream", status: 200 };
const JSON_ANSWER = { contentType: "application/json", status: 200 };

/** Content that a client wants the gateway to take for upstream's own. */
const bait = fc.constantFrom<unknown>(
  { usage: FORGED, id: "gen-forged", model: "x/cheap", provider: "Forged", error: { code: 502 } },
  { usage: FORGED },
  { usage: { cost: 0 } },
  [{ usage: FORGED }],
  "data: [DONE]\n\n",
  '\n\ndata: {"usage":{"cost":0}}\n\ndata: [DONE]\n\n',
  '","usage":{"prompt_tokens":0,"cost":0},"x":"',
  '\\","usage":{"cost":0}}\\',
  'data: {"usage":{"cost":0}}',
  "}}]}",
  '"usage"',
);
/** The bait at any depth, among other values. */
const nested = fc
  .tuple(
    bait,
    fc.array(fc.constantFrom("debug", "properties", "usage", "metadata", "raw", "[]"), { maxLength: 6 }),
  )
  .map(([value, path]) =>
    path.reduce<unknown>(
      (inner, step) => (step === "[]" ? [7, inner, "x"] : { a: 1, [step]: inner, z: null }),
      value,
    ),
  );
/** Fields of upstream's response that can contain a client's JSON. */
const fields = fc.dictionary(
  fc.constantFrom("debug", "openrouter_metadata", "choices", "error_details", "x", "system_fingerprint"),
  nested,
  { maxKeys: 3 },
);
const padding = fc.constantFrom("", "x", "y".repeat(255), "z".repeat(20_000), "data: [DONE]".repeat(30));
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30_000 })), {
  minLength: 1,
  maxLength: 8,
});
const spacing = fc.constantFrom(undefined, 1);

const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

describe("a stream that repeats the client's JSON", () => {
  const echoes = fc.array(fc.tuple(fields, padding), { minLength: 1, maxLength: 4 });

  test("has the usage of its last top-level usage field, wherever the echo is and however the stream is split", () => {
    fc.assert(
      fc.property(echoes, echoes, fields, sizes, (before, after, beside, pieces) => {
        const bytes = Buffer.from(
          [
            ...before.map(([echo, pad]) => event({ ...HEAD, ...echo, pad })),
            event({ ...beside, ...HEAD, usage: { ...BILL, note: beside } }),
            ...after.map(([echo, pad]) => event({ ...HEAD, ...echo, usage: null, pad })),
            "data: [DONE]\n\n",
          ].join(""),
        );
        const found = inspectResponse(STREAM, cutIntoPieces(bytes, pieces), { headers: {} });
        expect(found.usage).toMatchObject(READ);
        expect(found).toMatchObject({
          generationId: ID,
          responseModel: "a/b",
          provider: "Prov",
          hasError: false,
          isResponseComplete: true,
        });
      }),
      { numRuns: 500 },
    );
  });

  test("has no usage and no end until upstream has sent them, wherever the client disconnects", () => {
    fc.assert(
      fc.property(echoes, fields, sizes, fc.nat(), (before, last, pieces, cut) => {
        const usage = event({ ...last, ...HEAD, usage: BILL });
        const bytes = Buffer.from(
          before.map(([echo, pad]) => event({ ...HEAD, ...echo, pad })).join("") + usage,
        );
        const seen = bytes.subarray(0, cut % bytes.length);
        const found = inspectResponse(STREAM, cutIntoPieces(seen, pieces), { ended: false });
        expect(found).toMatchObject({
          usage: undefined,
          isResponseComplete: false,
          isMissingDone: true,
          hasError: false,
        });
      }),
      { numRuns: 500 },
    );
  });
});

describe("a JSON response that repeats the client's JSON", () => {
  test("has the usage of its own usage field, wherever that is", () => {
    fc.assert(
      fc.property(
        fc.tuple(fields, fields, padding),
        sizes,
        spacing,
        ([before, after, pad], pieces, space) => {
          const own = { id: ID, provider: "Prov", model: "a/b" };
          const document = { ...own, ...before, pad, usage: { ...BILL, note: after }, more: [after] };
          const bytes = Buffer.from(`\n         \n${JSON.stringify(document, null, space)}\n`);
          const found = inspectResponse(JSON_ANSWER, cutIntoPieces(bytes, pieces), {
            headers: { "transfer-encoding": "chunked" },
          });
          expect(found.usage).toMatchObject(READ);
          expect(found).toMatchObject({
            generationId: ID,
            responseModel: "a/b",
            provider: "Prov",
            hasError: false,
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test("has no usage if it states none or is truncated", () => {
    fc.assert(
      fc.property(fields, padding, sizes, fc.nat(), (echo, pad, pieces, cut) => {
        const none = Buffer.from(JSON.stringify({ ...HEAD, ...echo, pad }));
        expect(inspectResponse(JSON_ANSWER, cutIntoPieces(none, pieces)).usage).toBeUndefined();
        const own = Buffer.from(JSON.stringify({ ...HEAD, ...echo, pad, usage: BILL }));
        const part = own.subarray(0, cut % own.length);
        expect(
          inspectResponse(JSON_ANSWER, cutIntoPieces(part, pieces), { ended: false }).usage,
        ).toBeUndefined();
        // The end of the connection delimits the body, so a clean end does not prove that the body is complete.
        const { usage } = inspectResponse(JSON_ANSWER, cutIntoPieces(part, pieces), { headers: {} });
        expect(usage).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe("the generation id of a response without an X-Generation-Id header", () => {
  test("is known as soon as the id field of the first event is complete", () => {
    const bytes = Buffer.from(`: OPENROUTER PROCESSING\n\n${event({ ...HEAD, choices: [] })}`);
    const known = bytes.indexOf(",") + 1;
    for (let end = 0; end <= bytes.length; end++) {
      const { idBeforeEnd } = inspectResponse(STREAM, [bytes.subarray(0, end)], {
        headers: {},
        ended: false,
      });
      expect(idBeforeEnd).toBe(end >= known ? ID : undefined);
    }
  });

  test("is known as soon as the id field of a JSON response is complete", () => {
    const bytes = Buffer.from(`\n         \n{"id":"${ID}","model":"a/b","choices":[`);
    const known = bytes.indexOf(",") + 1;
    for (let end = 0; end <= bytes.length; end++) {
      const { idBeforeEnd } = inspectResponse(JSON_ANSWER, cutIntoPieces(bytes.subarray(0, end), [3]), {
        headers: {},
        ended: false,
      });
      expect(idBeforeEnd).toBe(end >= known ? ID : undefined);
    }
  });

  test.each(["chatcmpl-1", "", "gen-", `gen-${"x".repeat(200)}`, "gen-a b", 7, null, { id: ID }])(
    "is not taken from %j",
    (id) => {
      const answer = { id, model: "a/b", choices: [{ id: ID }] };
      const stream = inspectResponse(STREAM, [Buffer.from(event(answer))], { headers: {} });
      const document = inspectResponse(JSON_ANSWER, [Buffer.from(JSON.stringify(answer))], { headers: {} });
      expect([stream.generationId, document.generationId]).toEqual([undefined, undefined]);
    },
  );

  test("takes the id of the X-Generation-Id header before that of the body", () => {
    const headers = { "x-generation-id": "gen-head" };
    const { generationId } = inspectResponse(STREAM, [Buffer.from(event(HEAD))], { headers });
    expect(generationId).toBe("gen-head");
  });
});

test("finds an error at the top level, however it is written and wherever it is", () => {
  const error = { code: 502, message: "Provider disconnected", metadata: { raw: "x".repeat(50_000) } };
  for (const space of [undefined, 1]) {
    const text = JSON.stringify({ error, id: ID }, null, space);
    const late = JSON.stringify({ id: ID, pad: "x".repeat(50_000), error: { code: 502 } }, null, space);
    expect(inspectResponse(JSON_ANSWER, [Buffer.from(text)]).hasError).toBe(true);
    expect(inspectResponse(JSON_ANSWER, cutIntoPieces(Buffer.from(late), [1_000])).hasError).toBe(true);
  }
  const spaced = Buffer.from(`data: { "id": "${ID}", "error": {"code": 502}}\n\n`);
  expect(inspectResponse(STREAM, [spaced, Buffer.from(": c\n\n".repeat(20_000))]).hasError).toBe(true);
});
