import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { ShutdownState } from "../http/shutdown.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";

/** A check that takes longer has failed. Otherwise a database on a frozen machine would delay the response much longer. */
const CHECK_TIMEOUT_MS = 2_000;

/** Checks whether a part of the gateway works now. A check that throws or rejects has failed. */
export type HealthCheck = () => boolean | Promise<boolean>;

export interface HealthOptions {
  readonly shutdown: ShutdownState;
  /** Checks of the parts that every request needs, by name. */
  readonly required: Readonly<Record<string, HealthCheck>>;
  /** Checks of the parts that may fail for a while without making requests fail, by name. */
  readonly optional: Readonly<Record<string, HealthCheck>>;
}

/** Registers `GET /healthz` (liveness) and `GET /readyz` (readiness). Load balancers call them without a key. */
export function registerHealth(app: FastifyInstance, { shutdown, required, optional }: HealthOptions): void {
  rejectOtherMethods(app, "/healthz", ["GET", "HEAD"]);
  rejectOtherMethods(app, "/readyz", ["GET", "HEAD"]);
  app.route({ method: ["GET", "HEAD"], url: "/healthz", handler: () => ({ status: "ok" }) });
  const findFailing = createFailureFinder(required);
  const findDegraded = createFailureFinder(optional);
  app.route({
    method: ["GET", "HEAD"],
    url: "/readyz",
    handler: async (_request, reply) => {
      const [failing, degraded] = await Promise.all([findFailing(), findDegraded()]);
      const isReady = !shutdown.isShuttingDown && failing.length === 0;
      const status = isReady ? (degraded.length > 0 ? "degraded" : "ready") : "not_ready";
      return reply
        .code(isReady ? 200 : 503)
        .send({ status, draining: shutdown.isShuttingDown, failing, degraded });
    },
  });
}

/** Returns a function that runs all checks at once and resolves to the names of the failed ones. */
function createFailureFinder(checks: Readonly<Record<string, HealthCheck>>): () => Promise<string[]> {
  const bounded = Object.entries(checks).map(([name, check]) => [name, withDeadline(check)] as const);
  return async () => {
    const results = await Promise.all(bounded.map(async ([name, check]) => ({ name, works: await check() })));
    return results.filter(({ works }) => !works).map(({ name }) => name);
  };
}

/** Adds the deadline to a check. A running check is not started again, because each run may take a database connection. */
function withDeadline(check: HealthCheck): () => Promise<boolean> {
  let running: Promise<boolean> | undefined;
  return () => {
    running ??= Promise.resolve()
      .then(check)
      .catch(() => false)
      .finally(() => (running = undefined));
    const deadline = new AbortController();
    const timeout = sleep(CHECK_TIMEOUT_MS, false, { signal: deadline.signal, ref: false });
    return Promise.race([running, timeout.catch(() => false)]).finally(() => deadline.abort());
  };
}
