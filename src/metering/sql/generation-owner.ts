import type { Database } from "../../store/database.ts";

/** A generation, and a key that may have made it. */
export interface GenerationOfKey {
  readonly generationId: string;
  readonly keyId: string;
}

/** Whether the ledger has a request of this key with this generation. */
export async function hasGeneration(
  { reader }: Database,
  { generationId, keyId }: GenerationOfKey,
): Promise<boolean> {
  const row = await reader
    .selectFrom("requests")
    .where("generation_id", "=", generationId)
    .where("key_id", "=", keyId)
    .select("id")
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
