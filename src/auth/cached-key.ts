import { timingSafeEqual } from "node:crypto";
import type { CallerKey } from "./caller-key.ts";

/** A key as it is remembered, with what it has to be compared with. */
export interface CachedKey {
  readonly key: CallerKey;
  readonly digest: Buffer;
  readonly previousDigest: Buffer | undefined;
  readonly previousValidUntil: number;
  /** ms since 1970; 0 when it may not be used at all. */
  readonly validUntil: number;
}

/**
 * Whether a key may be used with this secret now. What decides is compared in constant time; an index only finds what to
 * compare with.
 * @param given SHA-256 of the secret. @param now ms since 1970.
 */
export function isValidSecret(
  { digest, previousDigest, previousValidUntil, validUntil }: CachedKey,
  given: Buffer,
  now: number,
): boolean {
  const matches =
    timingSafeEqual(digest, given) ||
    (previousDigest !== undefined && timingSafeEqual(previousDigest, given) && now < previousValidUntil);
  return matches && now < validUntil;
}
