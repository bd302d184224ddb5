import { expect, test } from "vitest";
import { restartInTurn } from "./rolling.ts";

const RESTARTS = 2;

test.each([
  { front: "no load balancer", balancer: undefined },
  { front: "HAProxy", balancer: "haproxy.cfg" },
  { front: "nginx", balancer: "nginx.conf" },
])(
  "two gateways behind $front lose no request while they are restarted in turn",
  async ({ balancer }) => {
    const { requests, losses } = await restartInTurn({
      balancer,
      procedure: "plain",
      restarts: RESTARTS,
      callers: 16,
      seed: 1,
    });
    expect(losses).toEqual([]);
    expect(requests).toBeGreaterThan(100);
  },
  120_000,
);
