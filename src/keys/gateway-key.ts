import type { CallerKey } from "../auth/caller-key.ts";

/** A key as it is shown to those who manage it. The secret is not known to anyone but its holder. */
export interface ManagedKey extends CallerKey {
  readonly owner: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** The first characters of the secret. */
  readonly prefix: string;
  /** Times are ms since 1970, UTC. */
  readonly createdAt: number;
  /** To within some seconds. */
  readonly lastUsedAt: number | null;
  readonly expiresAt: number | null;
  readonly disabled: boolean;
  readonly revokedAt: number | null;
  /** After a rotation: until when the secret of before is good. */
  readonly previousSecretUntil: number | null;
}

/** Who makes a change, for the audit table. */
export interface Actor {
  /** Id of an admin key, `cli` or `first-start`. */
  readonly actor: string;
  /** Address of the caller, or user and host of the command line. */
  readonly source: string;
}

/** A key and its secret, which is never to be had again. */
export interface IssuedKey {
  readonly key: ManagedKey;
  readonly secret: string;
}

/** A change that was made. */
export interface AuditEntry {
  readonly id: string;
  /** ms since 1970. */
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly keyId: string | null;
  /** What was changed, from what to what; never a secret. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly source: string;
}
