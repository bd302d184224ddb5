import type { Setting } from "../config/settings.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas } from "./api-schemas.ts";
import type { GatewayStatus } from "./gateway-status.ts";
import { configurationSchema, healthSchema } from "./health-schema.ts";

const tags = ["health"];

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
        response: { 200: configurationSchema, ...errorResponseSchemas },
      },
    },
    () => ({ data }),
  );
}
