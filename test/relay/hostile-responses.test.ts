import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutIntoPieces, inspectResponse } from "../support/inspect-response.ts";

// Upstream repeats the client's JSON in some fields: `debug.echo_upstream_body`, `error.metadata.raw`, tool schemas,
// `openrouter_metadata`. Whatever these contain, the gateway must read the usage, id and model that upstream itself states.

const ID = "gen-1760000000-AbCdEfGhIjKlMnOpQrSt";
const UPSTREAM_USAGE = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500, cost: 0.5 };
const PARSED_USAGE = { tokens: { prompt_tokens: 1_000, completion_tokens: 500 }, costUsd: 0.5 };
const FORGED_USAGE = { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1, cost: 0 };
const HEAD = { id: ID, provider: "Prov", model: "a/b" };
const STREAM = { contentType: "text/event-stream", status: 200 };
const JSON_RESPONSE = { contentType: "application/json", status: 200 };

/** Content that a client sends so that the gateway mistakes it for upstream's own fields. */
const forgery = fc.constantFrom<unknown>(
  { usage: FORGED_USAGE, id: "gen-forged", model: "x/cheap", provider: "Forged", error: { code: 502 } },
  { usage: FORGED_USAGE },
  { usage: { cost: 0 } },
  [{ usage: FORGED_USAGE }],
  "data: [DONE]\n\n",
  '\n\ndata: {"usage":{"cost":0}}\n\ndata: [DONE]\n\n',
  '","usage":{"prompt_tokens":0,"cost":0},"x":"',
  '\\","usage":{"cost":0}}\\',
  'data: {"usage":{"cost":0}}',
  "}}]}",
  '"usage"',
);
/** A forgery at any depth, among other values. */
const nested = fc
  .tuple(
    forgery,
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

describe("the inspection of a stream that repeats the client's JSON", () => {
  const echoes = fc.array(fc.tuple(fields, padding), { minLength: 1, maxLength: 4 });

  test("finds the usage that upstream states, for any position of the client's JSON and any split into chunks", () => {
    fc.assert(
      fc.property(echoes, echoes, fields, sizes, (before, after, beside, pieces) => {
        const bytes = Buffer.from(
          [
            ...before.map(([echo, pad]) => event({ ...HEAD, ...echo, pad })),
            event({ ...beside, ...HEAD, usage: { ...UPSTREAM_USAGE, note: beside } }),
            ...after.map(([echo, pad]) => event({ ...HEAD, ...echo, usage: null, pad })),
            "data: [DONE]\n\n",
          ].join(""),
        );
        const found = inspectResponse(STREAM, cutIntoPieces(bytes, pieces), { headers: {} });
        expect(found.usage).toMatchObject(PARSED_USAGE);
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

  test("finds neither usage nor an end if the stream is cut anywhere before the end of the usage event", () => {
    fc.assert(
      fc.property(echoes, fields, sizes, fc.nat(), (before, last, pieces, cut) => {
        const usage = event({ ...last, ...HEAD, usage: UPSTREAM_USAGE });
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

describe("the inspection of a JSON response that repeats the client's JSON", () => {
  test("finds the top-level usage field at any position", () => {
    fc.assert(
      fc.property(
        fc.tuple(fields, fields, padding),
        sizes,
        spacing,
        ([before, after, pad], pieces, space) => {
          const own = { id: ID, provider: "Prov", model: "a/b" };
          const document = {
            ...own,
            ...before,
            pad,
            usage: { ...UPSTREAM_USAGE, note: after },
            more: [after],
          };
          const bytes = Buffer.from(`\n         \n${JSON.stringify(document, null, space)}\n`);
          const found = inspectResponse(JSON_RESPONSE, cutIntoPieces(bytes, pieces), {
            headers: { "transfer-encoding": "chunked" },
          });
          expect(found.usage).toMatchObject(PARSED_USAGE);
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

  test("finds no usage if the response has no top-level usage field or is truncated", () => {
    fc.assert(
      fc.property(fields, padding, sizes, fc.nat(), (echo, pad, pieces, cut) => {
        const none = Buffer.from(JSON.stringify({ ...HEAD, ...echo, pad }));
        expect(inspectResponse(JSON_RESPONSE, cutIntoPieces(none, pieces)).usage).toBeUndefined();
        const own = Buffer.from(JSON.stringify({ ...HEAD, ...echo, pad, usage: UPSTREAM_USAGE }));
        const part = own.subarray(0, cut % own.length);
        expect(
          inspectResponse(JSON_RESPONSE, cutIntoPieces(part, pieces), { ended: false }).usage,
        ).toBeUndefined();
        // The end of the connection delimits the body, so a clean end does not prove that the body is complete.
        const { usage } = inspectResponse(JSON_RESPONSE, cutIntoPieces(part, pieces), { headers: {} });
        expect(usage).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe("the generation id of a response", () => {
  test("is known without a header as soon as the id field of the first event is complete", () => {
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

  test("is known without a header as soon as the id field of a JSON response is complete", () => {
    const bytes = Buffer.from(`\n         \n{"id":"${ID}","model":"a/b","choices":[`);
    const known = bytes.indexOf(",") + 1;
    for (let end = 0; end <= bytes.length; end++) {
      const { idBeforeEnd } = inspectResponse(JSON_RESPONSE, cutIntoPieces(bytes.subarray(0, end), [3]), {
        headers: {},
        ended: false,
      });
      expect(idBeforeEnd).toBe(end >= known ? ID : undefined);
    }
  });

  test.each(["chatcmpl-1", "", "gen-", `gen-${"x".repeat(200)}`, "gen-a b", 7, null, { id: ID }])(
    "is undefined if the body has the invalid id %j",
    (id) => {
      const body = { id, model: "a/b", choices: [{ id: ID }] };
      const stream = inspectResponse(STREAM, [Buffer.from(event(body))], { headers: {} });
      const document = inspectResponse(JSON_RESPONSE, [Buffer.from(JSON.stringify(body))], { headers: {} });
      expect([stream.generationId, document.generationId]).toEqual([undefined, undefined]);
    },
  );

  test("comes from the X-Generation-Id header when header and body state different ids", () => {
    const headers = { "x-generation-id": "gen-head" };
    const { generationId } = inspectResponse(STREAM, [Buffer.from(event(HEAD))], { headers });
    expect(generationId).toBe("gen-head");
  });
});

test("finds a top-level error at any position, with and without white space", () => {
  const error = { code: 502, message: "Provider disconnected", metadata: { raw: "x".repeat(50_000) } };
  for (const space of [undefined, 1]) {
    const text = JSON.stringify({ error, id: ID }, null, space);
    const late = JSON.stringify({ id: ID, pad: "x".repeat(50_000), error: { code: 502 } }, null, space);
    expect(inspectResponse(JSON_RESPONSE, [Buffer.from(text)]).hasError).toBe(true);
    expect(inspectResponse(JSON_RESPONSE, cutIntoPieces(Buffer.from(late), [1_000])).hasError).toBe(true);
  }
  const spaced = Buffer.from(`data: { "id": "${ID}", "error": {"code": 502}}\n\n`);
  expect(inspectResponse(STREAM, [spaced, Buffer.from(": c\n\n".repeat(20_000))]).hasError).toBe(true);
});
