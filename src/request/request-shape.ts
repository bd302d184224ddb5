import type { Schema } from "./schemas/loose-schema.ts";
import type { SizeLimits } from "./top-level-fields.ts";

/** The requests of one endpoint: their types, and the fields that name models. */
export interface RequestShape {
  readonly schema: Schema;
  /** Whether the objects in `fallbacks` name models. */
  readonly hasFallbacks?: boolean;
  /** Limits of the JSON; by default those for conversations. */
  readonly limits?: SizeLimits;
}
