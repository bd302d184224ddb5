import dns from "node:dns";
import { connect } from "node:net";
import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { startTestGateway } from "./support/gateway.ts";

/**
 * Makes localhost resolve to two addresses, as on most machines. The second address is 127.0.0.2 instead of ::1, so that
 * the test does not need IPv6.
 */
function resolveLocalhostTwice(): void {
  const addresses = [
    { address: "127.0.0.1", family: 4 },
    { address: "127.0.0.2", family: 4 },
  ];
  const real = dns.lookup;
  const lookup = vi.spyOn(dns, "lookup").mockImplementation((name: string, ...rest: unknown[]) => {
    if (name !== "localhost") return (real as (...all: unknown[]) => void)(name, ...rest);
    const callback = rest.at(-1) as (...found: unknown[]) => void;
    return queueMicrotask(() => callback(null, addresses));
  });
  onTestFinished(() => lookup.mockRestore());
}

async function connects(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  onTestFinished(() => void socket.destroy());
  return once(socket, "connect").then(
    () => true,
    () => false,
  );
}

test("a gateway with HOST=localhost listens on one address only, so that its limits apply to all connections", async () => {
  resolveLocalhostTwice();
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { HOST: "localhost" });
  expect(await connects(new URL(gateway.url).hostname.replace(/[[\]]/g, ""), gateway.port)).toBe(true);
  expect(await connects("127.0.0.2", gateway.port)).toBe(false);
});
