import { z } from "zod";
import { createNameSchema } from "./key-input.ts";
import { limitChangesSchema } from "./limit-input.ts";

/** Schemas of the settings of a group of keys. */
export const groupFields = {
  name: createNameSchema("grp_").describe("Unique name: up to 64 letters, digits, '.', '_' or '-'"),
  limits: limitChangesSchema.describe(
    "Limits that the keys of the group share; a member that is left out keeps its value, and null removes all limits",
  ),
};

/** The settings of a new group. */
export const newGroupSchema = z.strictObject({
  name: groupFields.name,
  limits: groupFields.limits.default({}),
});

/** Changes of a group; a setting that is left out keeps its value. */
export const groupChangesSchema = z.strictObject(groupFields).partial();

export type NewGroup = z.output<typeof newGroupSchema>;
export type GroupChanges = z.output<typeof groupChangesSchema>;
