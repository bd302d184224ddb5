import { timingSafeEqual } from "node:crypto";
import type { CallerKey } from "./caller-key.ts";

/** A key as it is remembered, with what it has to be compared with. */
export interface CachedKey {
  readonly key: CallerKey;
  readonly digest: Buffer;
  readonly previousDigest: Buffer | undefined;
  readonly previousUntil: number;
  /** ms since 1970; 0 when it may not be used at all. */
  readonly goodUntil: number;
}

/**
 * Whether a key may be used with this secret now. What decides is compared in constant time; an index only finds what to
 * compare with.
 * @param given SHA-256 of the secret. @param now ms since 1970.
 */
export function isValidSecret(
  { digest, previousDigest, previousUntil, goodUntil }: CachedKey,
  given: Buffer,
  now: number,
): boolean {
  const matches =
    timingSafeEqual(digest, given) ||
    (previousDigest !== undefined && timingSafeEqual(previousDigest, given) && now < previousUntil);
  return matches && now < goodUntil;
}
