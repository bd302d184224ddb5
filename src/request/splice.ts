import { hasOptionalPrefix, OPTIONAL_PREFIX_LENGTH } from "./model-id.ts";
import type { Span } from "./top-level-fields.ts";

const BACKSLASH = 0x5c;
const LOWER_U = 0x75;

/**
 * Finds the optional prefix in the raw JSON string of a model id.
 * @param json the whole JSON text. @param string span of the JSON string of the id, with its quotes. @param id the decoded id.
 * @returns the span of the prefix, or undefined if the id has no optional prefix.
 */
export function findPrefixSpan(json: Buffer, string: Span, id: string): Span | undefined {
  if (!hasOptionalPrefix(id)) return undefined;
  const start = string.start + 1;
  let end = start;
  // Any character may be escaped: PHP writes "openrouter\/openai\/x".
  for (let decoded = 0; decoded < OPTIONAL_PREFIX_LENGTH; decoded++) {
    if (json[end] !== BACKSLASH) end += 1;
    else end += json[end + 1] === LOWER_U ? 6 : 2;
  }
  return { start, end };
}

/**
 * Removes spans from a buffer without allocating another one. The longest run between two cuts stays in place, and this
 * function moves the shorter runs next to it. It therefore copies only a small part of a large body.
 * @param bytes the buffer, which this function changes. Use the returned view instead. @param cuts spans in ascending order
 * that do not overlap.
 * @returns a view of the remaining bytes, in the same memory.
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
