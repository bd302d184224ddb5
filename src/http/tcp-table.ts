import { createReadStream } from "node:fs";
import { SocketAddress } from "node:net";
import { endianness } from "node:os";

/** The TCP connections of this network namespace; each file has one line for each connection. */
const TABLES = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

/** A connection to which the kernel has sent something that the peer has not acknowledged. */
export interface UnacknowledgedConnection {
  /** Address and port of the peer, as {@link formatPeer} gives them. */
  readonly peer: string;
  /** Retransmissions and probes since the last acknowledgement. */
  readonly attempts: number;
}

/**
 * Reads which connections to a local port have retransmissions or probes without an answer (Linux only). Reads piece by
 * piece, so that a machine with many connections does not hold the event loop.
 * @throws the error of the file system where there is no such table.
 */
export async function readUnacknowledgedConnections(localPort: number): Promise<UnacknowledgedConnection[]> {
  const found: UnacknowledgedConnection[] = [];
  for (const table of TABLES) {
    let rest = "";
    for await (const piece of createReadStream(table, "latin1")) {
      const text = rest + String(piece);
      const end = text.lastIndexOf("\n") + 1;
      found.push(...parseUnacknowledged(text.slice(0, end), localPort));
      rest = text.slice(end);
    }
  }
  return found;
}

/**
 * Reads lines of `/proc/net/tcp` or `tcp6` (proc_pid_net(5); `get_tcp4_sock` in the kernel): slot, local address, peer, state,
 * queues, timer, retransmissions (hexadecimal), user, probes (decimal).
 */
export function parseUnacknowledged(lines: string, localPort: number): UnacknowledgedConnection[] {
  const port = localPort.toString(16).toUpperCase().padStart(4, "0");
  const line = new RegExp(
    `^ *\\d+: [\\dA-F]+:${port} ([\\dA-F]+):([\\dA-F]{4}) [\\dA-F]{2} \\S+ \\S+ ([\\dA-F]{8}) +\\d+ +(\\d+) `,
    "gm",
  );
  return [...lines.matchAll(line)]
    .map(([, address = "", peerPort = "", retransmissions = "", probes = ""]) => ({
      address,
      port: Number.parseInt(peerPort, 16),
      attempts: Number.parseInt(retransmissions, 16) + Number(probes),
    }))
    .filter(({ attempts }) => attempts > 0)
    .map((found) => ({ peer: formatPeer(toAddress(found.address), found.port), attempts: found.attempts }));
}

/** The key by which a socket is found in the table. @param address as `socket.remoteAddress` spells it. */
export function formatPeer(address: string | undefined, port: number | undefined): string {
  // Only Node names the interface of a link-local address.
  return `${address?.replace(/%.*/, "")} ${port}`;
}

/** The kernel prints an address as 32-bit words in the byte order of the machine. */
function toAddress(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  if (endianness() === "LE") bytes.swap32();
  if (bytes.length === 4) return bytes.join(".");
  const address = bytes.toString("hex").replaceAll(/(.{4})(?!$)/g, "$1:");
  return new SocketAddress({ address, family: "ipv6" }).address;
}
