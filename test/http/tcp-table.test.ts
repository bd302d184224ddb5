import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { parseUnacknowledged, formatPeer } from "../../src/http/tcp-table.ts";
import { waitUntil } from "../support/wait.ts";

/** A line of `/proc/net/tcp` as Linux 6.18 prints it. */
function line({
  local = "0100007F:1F90",
  peer = "0100007F:C350",
  retransmissions = "00000000",
  probes = 0,
}): string {
  return `   3: ${local} ${peer} 01 00000010:00000000 01:000008E4 ${retransmissions}  1000        ${probes} 83456 4 0000000000000000 20 4 30 10 -1\n`;
}

test("finds the connections of a port that have unacknowledged retransmissions or probes, and adds up both numbers", () => {
  const lines = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
    line({ peer: "0200000A:C350", retransmissions: "0000000A", probes: 2 }),
    line({ peer: "0300000A:C350" }),
    line({ peer: "0400000A:C350", probes: 3 }),
    line({ local: "0100007F:1F91", peer: "0500000A:C350", probes: 3 }),
    line({ peer: "0600000A:1F90", local: "0100007F:C350", probes: 3 }),
  ];
  expect(parseUnacknowledged(lines.join(""), 8080)).toEqual([
    { peer: "10.0.0.2 50000", attempts: 12 },
    { peer: "10.0.0.4 50000", attempts: 3 },
  ]);
});

test.each([
  ["127.0.0.1", "127.0.0.1", "tcp"],
  ["::1", "::1", "tcp6"],
  ["::", "127.0.0.1", "tcp6"],
])(
  "a peer from the TCP table equals formatPeer of its socket, for a server at %s and a client that connects to %s",
  async (host, to, table) => {
    const server = createServer().listen(0, host);
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, "connection");
    const client = connect(port, to);
    onTestFinished(() => void client.destroy());
    const [socket] = (await accepted) as [Socket];
    onTestFinished(() => void socket.destroy());
    // The kernel reports no attempts for a healthy connection, so the test inserts seven attempts into the lines.
    const readTable = (): string =>
      readFileSync(`/proc/self/net/${table}`, "latin1").replaceAll(
        / 00000000( +\d+ +\d+ \d+ \d)/g,
        " 00000007$1",
      );
    const peers = await waitUntil(
      () => parseUnacknowledged(readTable(), port).map(({ peer }) => peer),
      "the line",
    );
    expect(peers).toContain(formatPeer(socket.remoteAddress, socket.remotePort));
  },
);
