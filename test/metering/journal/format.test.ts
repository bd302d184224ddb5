import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatHeadEntry, formatEntry, formatStartEntry } from "../../../src/metering/journal/format.ts";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom("a", "Z", "0", ".", "/", ":", "-", '"', "\\", "\n", " ", "\u2028", "é"),
    maxLength: 4,
  }),
);

test("the lines that are put together by hand are what stringifying makes, whatever a caller has sent", () => {
  const opening = fc.record({
    id: text,
    request_id: text,
    key_id: text,
    key_name: text,
    requested_model: fc.option(text),
    forwarded_model: fc.option(text),
    stream: fc.constantFrom(0, 1),
    bytes_in: fc.maxSafeNat(),
    started_at: fc.maxSafeNat(),
  });
  fc.assert(
    fc.property(opening, (one) => {
      expect(formatStartEntry(one)).toBe(formatEntry(["open", one]));
    }),
  );
  const head = fc.record({ status: fc.nat(599), generationId: fc.option(text, { nil: undefined }) });
  fc.assert(
    fc.property(opening, head, (begun, one) => {
      expect(formatHeadEntry(begun, one)).toBe(formatEntry(["head", begun.id, one, begun]));
    }),
  );
});
