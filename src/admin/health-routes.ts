import { z } from "zod";
import type { Setting } from "../config/settings.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas } from "./api-schemas.ts";
import type { GatewayStatus } from "./gateway-status.ts";
import { healthSchema } from "./health-schema.ts";

const tags = ["health"];

const settingSchema = z.object({
  name: z.string().describe("Name of the environment variable"),
  value: z
    .string()
    .nullable()
    .describe(
      "The value as it was set, or the default; null for a secret, and without a value: `.env.example` describes what applies then",
    ),
  is_secret: z.boolean().describe("Whether the value is hidden because it contains a secret"),
  is_set: z.boolean().describe("Whether the environment or a file states a value"),
  is_default: z.boolean().describe("Whether the value is the default"),
});

const configurationResponse = z
  .object({ data: z.array(settingSchema).describe("Every setting, in the order of docs/configuration.md") })
  .describe("The settings of the replica that responds, without secrets");

/** Registers `GET /admin/v1/health` and `GET /admin/v1/configuration`. */
export function registerHealthRoutes(
  scope: AdminScope,
  status: GatewayStatus,
  settings: readonly Setting[],
): void {
  scope.get(
    "/health",
    {
      schema: {
        tags,
        summary: "Show the state of this replica, and what the database knows of all replicas",
        response: { 200: healthSchema, ...errorResponseSchemas },
      },
    },
    () => status.read(),
  );
  const data = settings.map(({ name, value, isSecret, isSet, isDefault }) => ({
    name,
    value,
    is_secret: isSecret,
    is_set: isSet,
    is_default: isDefault,
  }));
  scope.get(
    "/configuration",
    {
      schema: {
        tags,
        summary: "List the settings of this replica, without secrets",
        response: { 200: configurationResponse, ...errorResponseSchemas },
      },
    },
    () => ({ data }),
  );
}
