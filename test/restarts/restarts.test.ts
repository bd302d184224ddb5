import { expect, test } from "vitest";
import { restartInTurn } from "./rolling.ts";

const RESTARTS = 2;
/**
 * nginx does not check readiness. On a machine without idle CPU, a new connection may still be in the accept queue when
 * its gateway stops listening, and is then lost (docs/reliability.md).
 */
const NGINX_LOST_MAX_PART = 0.001;

test.each([
  { front: "no load balancer", balancer: undefined, lostMaxPart: 0 },
  { front: "HAProxy", balancer: "haproxy.cfg", lostMaxPart: 0 },
  { front: "nginx", balancer: "nginx.conf", lostMaxPart: NGINX_LOST_MAX_PART },
])(
  "two gateways behind $front lose no more than $lostMaxPart of the requests while they restart in turn",
  async ({ balancer, lostMaxPart }) => {
    const { requests, losses } = await restartInTurn({
      balancer,
      procedure: "plain",
      restarts: RESTARTS,
      clients: 16,
      seed: 1,
    });
    expect(losses.slice(Math.floor(requests * lostMaxPart))).toEqual([]);
    expect(requests).toBeGreaterThan(100);
  },
  120_000,
);
