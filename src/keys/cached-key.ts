import { timingSafeEqual } from "node:crypto";
import type { KeyRow } from "../store/key-rows.ts";
import type { CallerKey } from "./gateway-key.ts";
import { toGatewayKey } from "./key-record.ts";

/** A key as it is remembered, with what it has to be compared with. */
export interface CachedKey {
  readonly key: CallerKey;
  readonly digest: Buffer;
  readonly previousDigest: Buffer | undefined;
  readonly previousUntil: number;
  /** ms since 1970; 0 when it may not be used at all. */
  readonly goodUntil: number;
}

/** Makes of a row what is remembered of it. */
export function cached(row: KeyRow): CachedKey {
  const key = toGatewayKey(row);
  const { id, name, role, models, onDisconnect } = key;
  return {
    key: { id, name, role, models, onDisconnect },
    digest: Buffer.from(row.digest, "hex"),
    previousDigest: row.previous_digest === null ? undefined : Buffer.from(row.previous_digest, "hex"),
    previousUntil: row.previous_until ?? 0,
    goodUntil: key.disabled || key.revokedAt !== null ? 0 : (key.expiresAt ?? Infinity),
  };
}

/**
 * Whether a key may be used with this secret now. What decides is compared in constant time; an index only finds what to
 * compare with.
 * @param given SHA-256 of the secret. @param now ms since 1970.
 */
export function isGood(
  { digest, previousDigest, previousUntil, goodUntil }: CachedKey,
  given: Buffer,
  now: number,
): boolean {
  const matches =
    timingSafeEqual(digest, given) ||
    (previousDigest !== undefined && timingSafeEqual(previousDigest, given) && now < previousUntil);
  return matches && now < goodUntil;
}
