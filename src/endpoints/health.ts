import type { FastifyInstance } from "fastify";
import type { ShutdownState } from "../http/shutdown.ts";
import type { ComponentHealth } from "./component-health.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";

export interface HealthOptions {
  readonly shutdown: ShutdownState;
  readonly components: ComponentHealth;
}

/** Registers `GET /healthz` (liveness) and `GET /readyz` (readiness). Load balancers call them without a key. */
export function registerHealth(app: FastifyInstance, { shutdown, components }: HealthOptions): void {
  rejectOtherMethods(app, "/healthz", ["GET", "HEAD"]);
  rejectOtherMethods(app, "/readyz", ["GET", "HEAD"]);
  app.route({ method: ["GET", "HEAD"], url: "/healthz", handler: () => ({ status: "ok" }) });
  app.route({
    method: ["GET", "HEAD"],
    url: "/readyz",
    handler: async (_request, reply) => {
      const failed = (await components.check()).filter(({ works }) => !works);
      const failing = failed.filter(({ isRequired }) => isRequired).map(({ name }) => name);
      const degraded = failed.filter(({ isRequired }) => !isRequired).map(({ name }) => name);
      const isReady = !shutdown.isShuttingDown && failing.length === 0;
      const status = isReady ? (degraded.length > 0 ? "degraded" : "ready") : "not_ready";
      return reply
        .code(isReady ? 200 : 503)
        .send({ status, draining: shutdown.isShuttingDown, failing, degraded });
    },
  });
}
