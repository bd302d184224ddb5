import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** Adds columns for tokens of audio input, which have a price of their own. */
export const promptAudioTokens: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable("requests").addColumn("prompt_audio_tokens", "bigint").execute();
    for (const table of ["rollups", "rollups_daily"])
      await db.schema
        .alterTable(table)
        .addColumn("prompt_audio_tokens", "bigint", (column) => column.notNull().defaultTo(0))
        .execute();
  },
};
