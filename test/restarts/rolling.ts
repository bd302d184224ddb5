import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { Replica } from "../support/replica.ts";
import { type BalancerProcess, launchBalancer } from "../support/balancer-process.ts";
import { findFreePort } from "../support/ports.ts";
import { type Loss, MixedLoad } from "./load.ts";

/**
 * The operator's steps before and after each restart of a gateway. `plain`: no steps. `reload`: reload nginx after the
 * restart. `down`: mark the gateway as `down` and reload nginx before the restart; remove the mark and reload after it.
 */
export type Procedure = "plain" | "reload" | "down";

export const PROCEDURES: readonly Procedure[] = ["plain", "reload", "down"];

interface RollingRestart {
  /** A file in `deploy/`; undefined: clients connect to either gateway, and to the other one if it refuses. */
  readonly balancer: string | undefined;
  readonly procedure: Procedure;
  /** Number of restarts. The two gateways take turns. */
  readonly restarts: number;
  readonly clients: number;
  readonly seed: number;
  /** Settings that differ from the defaults and from those that the balancer's file recommends. */
  readonly env?: Readonly<Record<string, string>>;
  /** Changes the text of the balancer's file, for experiments. */
  readonly edit?: ((text: string) => string) | undefined;
}

/** Results of rolling restarts. */
interface RollingFigures {
  readonly requests: number;
  readonly lost: number;
  /** Number of lost requests by cause. */
  readonly causes: Readonly<Record<string, number>>;
  /** The first losses, with all details. */
  readonly losses: readonly Loss[];
  /** Number of the balancer's error lines by message, without addresses. */
  readonly balancerErrors: Readonly<Record<string, number>>;
}

const SECRET = "sk-restarts-0123456789";
/** Wait before each restart, so that a balancer that checks /readyz every 0.5 s has found the other gateway. */
const SETTLE_MS = 1_500;
const KEPT_LOSSES = 100;

/** Restarts two gateways in turn under load, and counts the requests that clients lose. */
export async function restartInTurn(plan: RollingRestart): Promise<RollingFigures> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-restarts-"));
  const simulator = await startSimulator({ keepSeen: 0 });
  const replicas = await Promise.all(
    [0, 1].map(async () => new Replica(await findFreePort(), environment(simulator.baseUrl, plan))),
  );
  const ports = replicas.map(({ port }) => port) as [number, number];
  const causes = new Map<string, number>();
  const balancerErrors = new Map<string, number>();
  const losses: Loss[] = [];
  let balancer: BalancerProcess | undefined;
  try {
    await Promise.all(replicas.map((replica) => replica.start()));
    if (plan.balancer !== undefined)
      balancer = await launchBalancer(plan.balancer, ports, {
        directory,
        edit: plan.edit,
        onOutput: (text) => countErrors(text, balancerErrors),
      });
    const load = new MixedLoad({
      ports: balancer ? [balancer.port] : ports,
      secret: SECRET,
      clients: plan.clients,
      seed: plan.seed,
      onLoss: (loss) => {
        increment(causes, describe(loss));
        if (losses.length < KEPT_LOSSES) losses.push(loss);
      },
    });
    await sleep(SETTLE_MS);
    load.start();
    for (let restart = 0; restart < plan.restarts; restart++) {
      await sleep(SETTLE_MS);
      const replica = replicas[restart % replicas.length] as Replica;
      if (plan.procedure === "down") await balancer?.markDown(replica.port);
      load.markStop();
      const code = await replica.stop();
      if (code !== 0) throw new Error(`the gateway on port ${replica.port} exited with ${code}`);
      await replica.start();
      if (plan.procedure !== "plain") await balancer?.reload();
    }
    await sleep(SETTLE_MS);
    await load.stop();
    const lost = [...causes.values()].reduce((sum, count) => sum + count, 0);
    return {
      requests: load.requests,
      lost,
      causes: Object.fromEntries(causes),
      losses,
      balancerErrors: Object.fromEntries(balancerErrors),
    };
  } finally {
    await balancer?.close();
    await Promise.all(replicas.map((replica) => replica.kill()));
    await simulator.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function environment(baseUrl: string, { balancer, env }: RollingRestart): Record<string, string> {
  return {
    OPENROUTER_API_KEY: "sk-or-restarts-account-0123456789",
    OPENROUTER_BASE_URL: baseUrl,
    GATEWAY_API_KEYS: `restarts:${SECRET}`,
    TRUST_PROXY: "127.0.0.1",
    // See deploy/nginx.conf: nginx does not check /readyz, so it would not notice the shutdown.
    ...(balancer?.endsWith("nginx.conf") === true && { DRAIN_MS: "0" }),
    ...env,
  };
}

function describe({ kind, phase, status, cause, reusedConnection }: Loss): string {
  const connection = reusedConnection ? "reused" : "new";
  return `${kind} ${phase} ${status === 0 ? cause : `${status} ${cause}`} (${connection} connection)`;
}

/** Counts nginx's log lines of level error and above. Groups them by the text up to the first comma, without quotes. */
function countErrors(text: string, counts: Map<string, number>): void {
  for (const [, level, message] of text.matchAll(/\[(error|crit|alert|emerg)\] [^:]*: (?:\*\d+ )?([^,\n]*)/g))
    increment(counts, `${level}: ${message?.replaceAll(/"[^"]*"/g, "...")}`);
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
