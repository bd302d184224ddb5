import { expect, test } from "vitest";
import { createLogger } from "../src/observability/logger.ts";
import { escapeUnprintable, escapeUnprintableJson } from "../src/printable.ts";

/**
 * Contains ESC, DEL, CSI, a right-to-left override, an isolate, a zero-width joiner, a line separator, a byte order mark and
 * a tag character.
 */
const HOSTILE = "a\u001b[31m\u007f\u009b\u202e\u2066\u200d\u2028\ufeff\u{e0041}z";
// oxlint-disable-next-line no-control-regex -- characters that a terminal interprets
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/u;

test("escapeUnprintable replaces the characters that a terminal interprets, and keeps printable characters", () => {
  expect(escapeUnprintable(HOSTILE)).toBe(
    String.raw`a\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{2066}\u{200d}\u{2028}\u{feff}\u{e0041}z`,
  );
  expect(escapeUnprintable("\ud800x\n")).toBe(String.raw`\u{d800}x\u{a}`);
  for (const text of ["openai/gpt-4o:free", "模型 naïve 🌍 é"]) expect(escapeUnprintable(text)).toBe(text);
});

test("escapeUnprintableJson escapes a JSON text without a change to its parsed value", () => {
  const json = `${JSON.stringify({ [HOSTILE]: HOSTILE }, null, 2)}\n`;
  expect(escapeUnprintableJson(json)).not.toMatch(ACTIVE);
  expect(JSON.parse(escapeUnprintableJson(json))).toEqual({ [HOSTILE]: HOSTILE });
});

test("log lines contain no character that a terminal interprets", () => {
  let line = "";
  const logger = createLogger("info", { write: (text: string) => void (line += text) });
  logger.info({ model: HOSTILE, err: new Error(HOSTILE) }, HOSTILE);
  expect(line.trimEnd()).not.toMatch(ACTIVE);
  expect(JSON.parse(line)).toMatchObject({ model: HOSTILE, msg: HOSTILE });
});
