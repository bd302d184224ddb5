import { hasOptionalPrefix, OPTIONAL_PREFIX_LENGTH } from "./model-id.ts";
import type { Span } from "./top-level-fields.ts";

const BACKSLASH = 0x5c;
const LOWER_U = 0x75;

/**
 * Where the optional prefix stands inside the raw JSON string of a model id.
 * @param json the text. @param string span of the JSON string, quotes included. @param id the same string decoded.
 * @returns the span to cut, or undefined when nothing is to be cut.
 */
export function findPrefixSpan(json: Buffer, string: Span, id: string): Span | undefined {
  if (!hasOptionalPrefix(id)) return undefined;
  const start = string.start + 1;
  let end = start;
  // Any character may be spelled as an escape: PHP writes "openrouter\/openai\/x".
  for (let decoded = 0; decoded < OPTIONAL_PREFIX_LENGTH; decoded++) {
    if (json[end] !== BACKSLASH) end += 1;
    else end += json[end + 1] === LOWER_U ? 6 : 2;
  }
  return { start, end };
}

/**
 * Cuts spans out of a buffer without copying it: the longest run between two cuts stays where it is and the others move
 * up to it, so the cost is that of the shorter rest, and a body of many megabytes stays in one piece of memory.
 * @param bytes is changed and must not be used after. @param cuts in ascending order, not overlapping.
 * @returns what is left, a view of the same memory.
 */
export function cutInPlace(bytes: Buffer, cuts: readonly Span[]): Buffer {
  if (cuts.length === 0) return bytes;
  const runs: Span[] = cuts.map((cut, index) => ({ start: cuts[index - 1]?.end ?? 0, end: cut.start }));
  runs.push({ start: cuts.at(-1)?.end ?? 0, end: bytes.length });
  const longest = runs.reduce((best, run) => (run.end - run.start > best.end - best.start ? run : best));
  const fixed = runs.indexOf(longest);
  let start = longest.start;
  for (const run of runs.slice(0, fixed).toReversed()) {
    start -= run.end - run.start;
    bytes.copyWithin(start, run.start, run.end);
  }
  let end = longest.end;
  for (const run of runs.slice(fixed + 1)) {
    bytes.copyWithin(end, run.start, run.end);
    end += run.end - run.start;
  }
  return bytes.subarray(start, end);
}
