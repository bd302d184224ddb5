import { randomBytes } from "node:crypto";
import { digestSecret } from "../key-secret.ts";
import type { Database } from "../store/database.ts";
import { databaseTime } from "../store/database-time.ts";

/** Maximum number of sessions of one key. The next sign-in deletes the oldest session. */
export const SESSIONS_PER_KEY_MAX = 100;
const TOKEN_BYTES = 32;
const TOKEN = /^[\w-]{43}$/;

/** Sessions of the dashboard. Times are ms since 1970 by the database's clock. */
interface SessionTable {
  /** SHA-256 of the token in the cookie, as 64 hexadecimal digits. */
  digest: string;
  /** SHA-256 of the secret with which the operator signed in, as 64 hexadecimal digits. */
  key_digest: string;
  key_id: string;
  created_at: number;
  expires_at: number;
}

declare module "../store/database.ts" {
  interface Tables {
    sessions: SessionTable;
  }
}

/** A row of the table of sessions. */
export interface StoredSession {
  /** SHA-256 of the token in the cookie, as 64 hexadecimal digits. */
  readonly digest: string;
  /** SHA-256 of the secret with which the operator signed in. */
  readonly keyDigest: Buffer;
  /** ms since 1970. */
  readonly expiresAt: number;
}

/** Whether a text has the form of a token: 256 random bits in base64url. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Reads and writes the sessions of a database, which all its gateways share. */
export class SessionStore {
  readonly #database: Database;
  readonly #lifetimeMs: number;

  /** @param lifetimeMs how long a new session is valid. */
  constructor(database: Database, lifetimeMs: number) {
    this.#database = database;
    this.#lifetimeMs = lifetimeMs;
  }

  /**
   * Creates a session, and deletes the oldest session of the key if it has more than {@link SESSIONS_PER_KEY_MAX}.
   * @returns the session and its token, which is not stored.
   */
  async create(
    keyId: string,
    keyDigest: Buffer,
  ): Promise<{ readonly session: StoredSession; readonly token: string }> {
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    const digest = digestToken(token);
    const { expires_at } = await this.#database.kysely
      .insertInto("sessions")
      .values({
        digest,
        key_digest: keyDigest.toString("hex"),
        key_id: keyId,
        created_at: databaseTime(this.#database),
        expires_at: databaseTime(this.#database, this.#lifetimeMs),
      })
      .returning("expires_at")
      .executeTakeFirstOrThrow();
    await this.#deleteOldest(keyId);
    return { session: { digest, keyDigest, expiresAt: expires_at }, token };
  }

  /** Finds the session of a token. @returns undefined if the token is unknown or its session has expired. */
  async find(token: string): Promise<StoredSession | undefined> {
    const row = await this.#database.kysely
      .selectFrom("sessions")
      .select(["digest", "key_digest", "expires_at"])
      .where("digest", "=", digestToken(token))
      .where("expires_at", ">", databaseTime(this.#database))
      .executeTakeFirst();
    if (!row) return undefined;
    const keyDigest = Buffer.from(row.key_digest, "hex");
    return { digest: row.digest, keyDigest, expiresAt: row.expires_at };
  }

  /** Deletes a session. @param digest of its token. */
  async delete(digest: string): Promise<void> {
    await this.#database.kysely.deleteFrom("sessions").where("digest", "=", digest).execute();
  }

  /**
   * Runs after the new session is committed, and not in its transaction: of two sign-ins at the same time, the later deletion
   * then sees both sessions.
   */
  async #deleteOldest(keyId: string): Promise<void> {
    await this.#database.kysely
      .deleteFrom("sessions")
      .where("key_id", "=", keyId)
      .where("digest", "not in", (sessions) =>
        sessions
          .selectFrom("sessions")
          .select("digest")
          .where("key_id", "=", keyId)
          .orderBy("created_at", "desc")
          .orderBy("digest")
          .limit(SESSIONS_PER_KEY_MAX),
      )
      .execute();
  }
}

/** Deletes the sessions that have expired by the database's clock. */
export async function deleteExpiredSessions(database: Pick<Database, "kysely" | "sqlite">): Promise<void> {
  await database.kysely.deleteFrom("sessions").where("expires_at", "<=", databaseTime(database)).execute();
}

function digestToken(token: string): string {
  return digestSecret(token).toString("hex");
}
