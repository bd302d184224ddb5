import * as fc from "fast-check";
import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { readChatRequest } from "../../src/request/chat-request.ts";
import { INVALID_UTF8, JSON_TRAPS } from "../support/json-traps.ts";

const around = (value: string): Buffer =>
  Buffer.from(`{"model":"a/b","x":${value},"messages":[{"role":"user"}]}`);

/** What became of a body: its bytes as they would be forwarded, or the code of the refusal. */
function outcomeOf(body: Buffer): string {
  try {
    return readChatRequest(Buffer.from(body)).body.toString("latin1");
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
}

function parses(body: Buffer): boolean {
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}

test.each(JSON_TRAPS)(
  "%j is taken exactly when JSON.parse takes it, and not a byte of it changes",
  (value) => {
    const body = around(value);
    expect(outcomeOf(body)).toBe(parses(body) ? body.toString("latin1") : "invalid_json");
  },
);

test.each(JSON_TRAPS)(
  "%j as the whole body is taken only if it is an object that makes a request",
  (value) => {
    const code = outcomeOf(Buffer.from(value));
    const isObject = parses(Buffer.from(value)) && /^\s*\{/.test(value);
    // A byte order mark is white space to a regular expression, not to JSON.
    expect(code).toBe(
      isObject
        ? value.includes('"a":1,"a"')
          ? "duplicate_field"
          : "missing_required_parameter"
        : "invalid_json",
    );
  },
);

test.each(INVALID_UTF8)("the bytes %j are refused as invalid UTF-8 wherever they stand", (...bytes) => {
  const bad = Buffer.from(bytes);
  for (const [before, after] of [
    ['{"model":"', '"}'],
    ['{"', '":1}'],
    ["", "{}"],
    ["{}", ""],
  ] as const) {
    expect(outcomeOf(Buffer.concat([Buffer.from(before), bad, Buffer.from(after)]))).toBe("invalid_utf8");
  }
});

test("UTF-16 and a byte order mark are refused", () => {
  expect(outcomeOf(Buffer.from("\ufeff{}", "utf16le"))).toBe("invalid_utf8");
  expect(outcomeOf(Buffer.from('{"model":"a/b"}', "utf16le"))).toBe("invalid_json");
  expect(outcomeOf(Buffer.from('\ufeff{"model":"a/b"}'))).toBe("invalid_json");
});

const PIECES = String.raw`{ } [ ] : , " \ / 0 1 9 e E + - . true null "a" "model" \u0041 \ud800 é`.split(" ");

test("whatever is made of JSON's characters is taken exactly when JSON.parse takes it", () => {
  const piece = fc.constantFrom(...PIECES, " ", "\n", "\t", "\u0001");
  const wrong = fc.check(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const body = around(pieces.join(""));
      const outcome = outcomeOf(body);
      return parses(body)
        ? [body.toString("latin1"), "duplicate_field"].includes(outcome)
        : outcome === "invalid_json";
    }),
    { numRuns: 20_000 },
  );
  expect(wrong.counterexample).toBeNull();
});

test("any bytes at all are an answer, never a crash", () => {
  const codes = ["invalid_json", "invalid_utf8", "missing_required_parameter"];
  const wrong = fc.check(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => codes.includes(outcomeOf(Buffer.from(bytes)))),
    { numRuns: 5_000 },
  );
  expect(wrong.counterexample).toBeNull();
});
