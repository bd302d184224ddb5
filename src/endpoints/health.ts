import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { ShutdownState } from "../http/shutdown.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";

/** What has not answered by then counts as failing: the database of a frozen machine would be waited for much longer. */
const CHECK_TIMEOUT_MS = 2_000;

/** Whether a part of the gateway works now. */
export type HealthCheck = () => boolean | Promise<boolean>;

export interface HealthOptions {
  readonly shutdown: ShutdownState;
  /** What no request can be served without, by name. */
  readonly required: Readonly<Record<string, HealthCheck>>;
  /** What the gateway does without for a while, by name. */
  readonly optional: Readonly<Record<string, HealthCheck>>;
}

/** `GET /healthz`: the process lives. `GET /readyz`: it can serve. Both without a key, for load balancers. */
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

/** @returns a function that runs all checks at once and gives the names of those that fail. */
function createFailureFinder(checks: Readonly<Record<string, HealthCheck>>): () => Promise<string[]> {
  const bounded = Object.entries(checks).map(([name, check]) => [name, withDeadline(check)] as const);
  return async () => {
    const results = await Promise.all(bounded.map(async ([name, check]) => ({ name, works: await check() })));
    return results.filter(({ works }) => !works).map(({ name }) => name);
  };
}

/** A check that is still running is not started again: each would take a connection that requests need. */
function withDeadline(check: HealthCheck): () => Promise<boolean> {
  let running: Promise<boolean> | undefined;
  return () => {
    running ??= Promise.resolve()
      .then(check)
      .catch(() => false)
      .finally(() => (running = undefined));
    const deadline = new AbortController();
    const late = sleep(CHECK_TIMEOUT_MS, false, { signal: deadline.signal, ref: false }).catch(() => false);
    return Promise.race([running, late]).finally(() => deadline.abort());
  };
}
