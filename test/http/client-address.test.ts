import { expect, test } from "vitest";
import { parseAddress, createProxyTrust } from "../../src/http/client-address.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["203.0.113.7:50001", "203.0.113.7"],
  [" 203.0.113.7:50001 ", "203.0.113.7"],
  ['"203.0.113.7:50001"', "203.0.113.7"],
  ["[203.0.113.7]:80", "203.0.113.7"],
  ["2001:db8::1", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ['"[2001:db8::1]:443"', "2001:db8::1"],
  ["2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"],
  ["fe80::1%eth0", "fe80::1"],
  ["[fe80::1%eth0]:443", "fe80::1"],
  ["::ffff:203.0.113.7", "::ffff:203.0.113.7"],
  ["::ffff:203.0.113.7:50001", "::ffff:203.0.113.7"],
  ["[::ffff:203.0.113.7]:50001", "::ffff:203.0.113.7"],
])("reads %j as the address %s", (entry, address) => {
  expect(parseAddress(entry)).toBe(address);
});

test.each([
  "",
  "unknown",
  "_hidden",
  "203.0.113",
  "203.0.113.7:50001:2",
  "203.0.113.700",
  "[203.0.113.7",
  "[]",
  ":80",
])("finds no address in %j", (entry) => {
  expect(parseAddress(entry)).toBeUndefined();
});

test("trusts proxies by address, network and range name, even with a port, in brackets or as IPv6", () => {
  const isTrusted = createProxyTrust(["loopback", "10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]);
  for (const trusted of [
    "127.0.0.5",
    "::1",
    "[::1]:99",
    "10.1.2.3:50001",
    "::ffff:10.1.2.3",
    "192.0.2.1",
    "2001:db8::9",
  ])
    expect([trusted, isTrusted(trusted)]).toEqual([trusted, true]);
  for (const other of ["11.0.0.1", "192.0.2.2:1", "::ffff:11.0.0.1", "2001:db9::1", "unknown", ""])
    expect([other, isTrusted(other)]).toEqual([other, false]);
  expect(createProxyTrust(["linklocal"])("fe80::1%eth0")).toBe(true);
  expect(createProxyTrust(["uniquelocal"])("fd00::1")).toBe(true);
  expect(createProxyTrust(["fe80::1%eth0"])("fe80::1%eth0")).toBe(true);
  // The second look-up comes from the cache.
  expect(["10.1.2.3:4", "11.0.0.1"].map(isTrusted)).toEqual([true, false]);
});

/** Sends a request for each forwarded address to a gateway that admits two requests per address. @returns the statuses. */
async function sendForwarded(entries: readonly string[]): Promise<number[]> {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    GATEWAY_API_KEYS: undefined,
    ALLOW_ANONYMOUS: "true",
    RATE_LIMIT_MAX: "2",
    TRUST_PROXY: "loopback,10.0.0.0/8",
  });
  const statuses: number[] = [];
  for (const entry of entries) {
    const headers = { authorization: undefined, "x-forwarded-for": entry };
    statuses.push((await sendRequest(gateway.port, { headers })).status);
  }
  return statuses;
}

test.each([
  ["with ports", ["203.0.113.7:1", "203.0.113.7:2", "203.0.113.7:3", "203.0.113.8:1"]],
  ["in brackets, of one /64", ["[2001:db8::1]:1", "[2001:db8::2]:2", "2001:db8::3", "[2001:db8:0:1::1]:1"]],
  ["as IPv4 in IPv6", ["[::ffff:203.0.113.7]:1", "203.0.113.7:2", "::ffff:203.0.113.7", "203.0.113.8"]],
  [
    "behind proxies with ports",
    [
      "203.0.113.7:1, 10.0.0.1:5",
      "203.0.113.7, 10.0.0.2:6",
      "203.0.113.7:3,10.0.0.1",
      "203.0.113.8, 10.0.0.1:5",
    ],
  ],
  ["that are not addresses", ["unknown", "_a", "_b", "203.0.113.8"]],
])("counts the requests of each forwarded address, for addresses %s", async (_, entries) => {
  expect(await sendForwarded(entries)).toEqual([200, 200, 429, 200]);
});
