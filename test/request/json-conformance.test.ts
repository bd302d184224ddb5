import * as fc from "fast-check";
import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { readChatRequest } from "../support/read-chat-request.ts";
import { INVALID_UTF8, JSON_TRAPS } from "../support/json-traps.ts";

const wrap = (value: string): Buffer =>
  Buffer.from(`{"model":"a/b","x":${value},"messages":[{"role":"user"}]}`);

/** Returns the bytes that the gateway would forward for a body, or the code of its error. */
function readOutcome(body: Buffer): string {
  try {
    return readChatRequest(Buffer.from(body)).body.toString("latin1");
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
}

function canParse(body: Buffer): boolean {
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}

test.each(JSON_TRAPS)(
  "forwards the value %j unchanged if JSON.parse accepts it, and otherwise rejects it",
  (value) => {
    const body = wrap(value);
    expect(readOutcome(body)).toBe(canParse(body) ? body.toString("latin1") : "invalid_json");
  },
);

test.each(JSON_TRAPS)(
  "rejects the body %j as invalid JSON or, if it is an object, because of its fields",
  (value) => {
    const code = readOutcome(Buffer.from(value));
    // JSON.parse rejects the byte order mark, which \s accepts.
    const isObject = canParse(Buffer.from(value)) && /^\s*\{/.test(value);
    expect(code).toBe(
      isObject
        ? value.includes('"a":1,"a"')
          ? "duplicate_field"
          : "missing_required_parameter"
        : "invalid_json",
    );
  },
);

test.each(INVALID_UTF8)("rejects the bytes %j as invalid UTF-8 at any position", (...bytes) => {
  const bad = Buffer.from(bytes);
  for (const [before, after] of [
    ['{"model":"', '"}'],
    ['{"', '":1}'],
    ["", "{}"],
    ["{}", ""],
  ] as const) {
    expect(readOutcome(Buffer.concat([Buffer.from(before), bad, Buffer.from(after)]))).toBe("invalid_utf8");
  }
});

test("rejects UTF-16 and a byte order mark", () => {
  expect(readOutcome(Buffer.from("\ufeff{}", "utf16le"))).toBe("invalid_utf8");
  expect(readOutcome(Buffer.from('{"model":"a/b"}', "utf16le"))).toBe("invalid_json");
  expect(readOutcome(Buffer.from('\ufeff{"model":"a/b"}'))).toBe("invalid_json");
});

const PIECES = String.raw`{ } [ ] : , " \ / 0 1 9 e E + - . true null "a" "model" \u0041 \ud800 é`.split(" ");

test("rejects a random sequence of JSON tokens as invalid JSON if and only if JSON.parse rejects it", () => {
  const piece = fc.constantFrom(...PIECES, " ", "\n", "\t", "\u0001");
  const wrong = fc.check(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const body = wrap(pieces.join(""));
      const outcome = readOutcome(body);
      return canParse(body)
        ? [body.toString("latin1"), "duplicate_field"].includes(outcome)
        : outcome === "invalid_json";
    }),
    { numRuns: 20_000 },
  );
  expect(wrong.counterexample).toBeNull();
});

test("rejects random bytes with a GatewayError", () => {
  const codes = ["invalid_json", "invalid_utf8", "missing_required_parameter"];
  const wrong = fc.check(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => codes.includes(readOutcome(Buffer.from(bytes)))),
    { numRuns: 5_000 },
  );
  expect(wrong.counterexample).toBeNull();
});
