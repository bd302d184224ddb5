import { expect, test } from "vitest";
import { restartInTurn } from "./rolling.ts";

const RESTARTS = 2;

test.each([undefined, "haproxy.cfg", "nginx.conf"])(
  "two gateways behind %s lose no request while they are restarted in turn",
  async (balancer) => {
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
