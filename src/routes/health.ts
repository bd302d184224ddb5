import type { FastifyInstance } from "fastify";
import type { Drain } from "../http/drain.ts";
import { allowOnly } from "./allow-only.ts";

export interface HealthOptions {
  readonly drain: Drain;
  /** Name to check of every store the gateway cannot serve without. */
  readonly stores: Readonly<Record<string, () => Promise<boolean>>>;
}

/** `GET /healthz`: the process lives. `GET /readyz`: it can serve. Both without a key, for load balancers. */
export function health(app: FastifyInstance, { drain, stores }: HealthOptions): void {
  allowOnly(app, "/healthz", ["GET", "HEAD"]);
  allowOnly(app, "/readyz", ["GET", "HEAD"]);
  app.route({ method: ["GET", "HEAD"], url: "/healthz", handler: () => ({ status: "ok" }) });
  app.route({
    method: ["GET", "HEAD"],
    url: "/readyz",
    handler: async (_request, reply) => {
      const answers = await Promise.all(
        Object.entries(stores).map(async ([name, check]) => [name, await check()] as const),
      );
      const failing = answers.filter(([, answered]) => !answered).map(([name]) => name);
      const ready = !drain.draining && failing.length === 0;
      return reply
        .code(ready ? 200 : 503)
        .send({ status: ready ? "ready" : "not_ready", draining: drain.draining, failing });
    },
  });
}
