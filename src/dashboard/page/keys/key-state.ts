import type { Key } from "../api/types.ts";

/** Keys that expire within this time are marked. */
const EXPIRES_SOON_MS = 7 * 86_400_000;

/** The name and the tone of the state of a key. */
export interface KeyState {
  readonly label: "active" | "disabled" | "expires soon" | "expired" | "revoked" | "blocked";
  readonly tone: "good" | "warning" | "bad" | "neutral";
}

/** Returns the state that decides whether a key is accepted. @param now ms since 1970. */
export function findKeyState(
  key: Pick<Key, "revoked_at" | "disabled" | "expires_at" | "blocked_until">,
  now: number,
): KeyState {
  const { revoked_at: revokedAt, disabled, expires_at: expiresAt, blocked_until: blockedUntil } = key;
  const expiry = expiresAt === null ? Infinity : Date.parse(expiresAt);
  if (revokedAt !== null) return { label: "revoked", tone: "neutral" };
  if (disabled) return { label: "disabled", tone: "neutral" };
  if (expiry <= now) return { label: "expired", tone: "bad" };
  if (blockedUntil !== null && Date.parse(blockedUntil) > now) return { label: "blocked", tone: "bad" };
  if (expiry <= now + EXPIRES_SOON_MS) return { label: "expires soon", tone: "warning" };
  return { label: "active", tone: "good" };
}
