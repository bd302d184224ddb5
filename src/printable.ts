/**
 * Characters that act on a terminal or an editor rather than show in it: control characters (escape sequences begin with
 * them), format characters (they reverse or hide text), line separators, lone surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** The same without what JSON escapes itself, and without the line feeds between lines. */
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;
const DELETE = "\u007f";

/** A text for people, with `\u{...}` in place of characters that do not show. */
export function escapeUnprintable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

/** JSON that says the same with `\uXXXX` in place of characters that do not show. */
export function escapeUnprintableJson(json: string): string {
  // Nearly every log line is plain ASCII: this is a tenth of what an expression takes to find that out.
  if (Buffer.byteLength(json) === json.length && !json.includes(DELETE)) return json;
  return json.replaceAll(UNPRINTABLE_IN_JSON, (char) =>
    Array.from({ length: char.length }, (_, at) => escapeUnit(char.charCodeAt(at))).join(""),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
