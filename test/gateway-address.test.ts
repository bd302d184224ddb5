import dns from "node:dns";
import { connect } from "node:net";
import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { startTestGateway } from "./support/gateway.ts";

/** Makes localhost resolve to two addresses, as on most machines (127.0.0.1 and ::1). The second one works without IPv6. */
function resolveLocalhostTwice(): void {
  const addresses = [
    { address: "127.0.0.1", family: 4 },
    { address: "127.0.0.2", family: 4 },
  ];
  const real = dns.lookup;
  const lookup = vi.spyOn(dns, "lookup").mockImplementation((name: string, ...rest: unknown[]) => {
    if (name !== "localhost") return (real as (...all: unknown[]) => void)(name, ...rest);
    const answer = rest.at(-1) as (...found: unknown[]) => void;
    return queueMicrotask(() => answer(null, addresses));
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

test("a gateway on localhost listens on one address, so that no connection escapes its limits and its shutdown", async () => {
  resolveLocalhostTwice();
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { HOST: "localhost" });
  expect(await connects(new URL(gateway.url).hostname.replace(/[[\]]/g, ""), gateway.port)).toBe(true);
  expect(await connects("127.0.0.2", gateway.port)).toBe(false);
});
