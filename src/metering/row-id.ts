/** So many digits to the base of 36 last until the year 5188. */
const TIME_DIGITS = 9;

/**
 * The lowest id that a row of the ledger can have whose request began at this time: ids begin with their time, so they are
 * in its order. @param ms since 1970.
 */
export function toRowIdPrefix(ms: number): string {
  return Math.max(0, Math.floor(ms)).toString(36).padStart(TIME_DIGITS, "0");
}
