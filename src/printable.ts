/**
 * Characters that a terminal or an editor interprets and does not show: control characters (which start escape sequences),
 * format characters (which reverse or hide text), line separators, and lone surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** The same characters without those that `JSON.stringify` escapes, and without the line feed that ends a line. */
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;
const DELETE = "\u007f";

/** Replaces each unprintable character of a text by `\u{...}`. */
export function escapeUnprintable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

/** Replaces each unprintable character of a JSON text by `\uXXXX`. The parsed value stays the same. */
export function escapeUnprintableJson(json: string): string {
  // Nearly every log line is plain ASCII. This check takes a tenth of the time of a regular expression.
  if (Buffer.byteLength(json) === json.length && !json.includes(DELETE)) return json;
  return json.replaceAll(UNPRINTABLE_IN_JSON, (char) =>
    Array.from({ length: char.length }, (_, at) => escapeUnit(char.charCodeAt(at))).join(""),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
