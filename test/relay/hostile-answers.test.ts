import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutIntoPieces, inspectResponse } from "../support/inspect-response.ts";

// Upstream repeats JSON of the client's in places of its own: `debug.echo_upstream_body`, `error.metadata.raw`, tool
// schemas, `openrouter_metadata`. Whatever is in it, the bill, the id and the model are upstream's.

const ID = "gen-1760000000-AbCdEfGhIjKlMnOpQrSt";
const BILL = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500, cost: 0.5 };
const READ = { tokens: { prompt_tokens: 1_000, completion_tokens: 500 }, costUsd: 0.5 };
const FORGED = { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1, cost: 0 };
const HEAD = { id: ID, provider: "Prov", model: "a/b" };
const STREAM = { contentType: "text/event-stream", status: 200 };
const JSON_ANSWER = { contentType: "application/json", status: 200 };

/** Something that a client would like to be read as upstream's own. */
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
/** It, at any depth, among other things. */
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
/** Fields of upstream's in which a client's JSON can be. */
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

describe("a stream that repeats JSON of the client's", () => {
  const echoes = fc.array(fc.tuple(fields, padding), { minLength: 1, maxLength: 4 });

  test("is billed what the last top-level usage says, wherever the echo is and however the stream is split", () => {
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

  test("has no usage and no end before upstream has stated them, wherever the client leaves", () => {
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

describe("a JSON answer that repeats JSON of the client's", () => {
  test("is billed what its own usage says, wherever that is", () => {
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

  test("has no usage if it states none, or is not complete", () => {
    fc.assert(
      fc.property(fields, padding, sizes, fc.nat(), (echo, pad, pieces, cut) => {
        const none = Buffer.from(JSON.stringify({ ...HEAD, ...echo, pad }));
        expect(inspectResponse(JSON_ANSWER, cutIntoPieces(none, pieces)).usage).toBeUndefined();
        const own = Buffer.from(JSON.stringify({ ...HEAD, ...echo, pad, usage: BILL }));
        const part = own.subarray(0, cut % own.length);
        expect(
          inspectResponse(JSON_ANSWER, cutIntoPieces(part, pieces), { ended: false }).usage,
        ).toBeUndefined();
        // The end of the connection ends the body, so upstream's clean end says nothing.
        const { usage } = inspectResponse(JSON_ANSWER, cutIntoPieces(part, pieces), { headers: {} });
        expect(usage).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe("the id of a generation whose head does not state it", () => {
  test("is known as soon as the field of the first event is complete", () => {
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

  test("is known as soon as the field of a JSON answer is complete", () => {
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

  test("the id of the head comes before that of the body", () => {
    const headers = { "x-generation-id": "gen-head" };
    const { generationId } = inspectResponse(STREAM, [Buffer.from(event(HEAD))], { headers });
    expect(generationId).toBe("gen-head");
  });
});

test("an error at the top level is an error, however it is written and wherever it is", () => {
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
