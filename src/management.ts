import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import type { Logger } from "pino";
import { adminApiPlugin } from "./admin/admin-api.ts";
import type { StatusSources } from "./admin/gateway-status.ts";
import type { ModelLister } from "./admin/model-routes.ts";
import { authenticate, type AuthenticateOptions } from "./auth/authenticate.ts";
import type { Config } from "./config/config.ts";
import { registerDashboard } from "./dashboard/dashboard-plugin.ts";
import type { Persistence } from "./persistence.ts";
import { SessionAuthentication } from "./sessions/session-authentication.ts";

export interface ManagementOptions {
  readonly config: Config;
  readonly persistence: Persistence;
  readonly models: ModelLister;
  /** Authentication without the options of a role. */
  readonly access: Omit<AuthenticateOptions, "allowAnonymous" | "role">;
  readonly enforcePerKey: onRequestAsyncHookHandler;
  readonly status: Omit<StatusSources, "recorder">;
  readonly logger: Logger;
}

/** Registers everything that requires an admin key: the admin API, and the dashboard with its sessions. */
export async function registerManagement(app: FastifyInstance, options: ManagementOptions): Promise<void> {
  const { config, persistence, models, access, enforcePerKey, status, logger } = options;
  const { openrouterApiKey, dashboardSessionMs: lifetimeMs } = config;
  const { keys, database, recorder } = persistence;
  const asAdmin = authenticate({ ...access, allowAnonymous: false, role: "admin" });
  const sessions =
    openrouterApiKey === undefined || lifetimeMs === 0
      ? undefined
      : new SessionAuthentication({ ...access, openrouterApiKey, database, lifetimeMs, logger });
  if (sessions) registerDashboard(app, logger);
  await adminApiPlugin(app, {
    accessHooks: [sessions?.createHook(asAdmin) ?? asAdmin, enforcePerKey],
    keys,
    database,
    models,
    status: { ...status, recorder },
    settings: config.settings,
    sessions,
  });
}
