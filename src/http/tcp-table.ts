import { createReadStream } from "node:fs";
import { SocketAddress } from "node:net";
import { endianness } from "node:os";

/** Files that list the TCP connections of this network namespace, one per line. */
const TABLES = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

/** A connection whose peer has not acknowledged a segment or a probe. */
export interface UnacknowledgedConnection {
  /** Address and port of the peer, as {@link formatPeer} returns them. */
  readonly peer: string;
  /** Retransmissions and probes since the last acknowledgement. */
  readonly attempts: number;
}

/**
 * Finds the connections to a local port that have unacknowledged retransmissions or probes (Linux only). Reads in pieces, so
 * that many connections do not block the event loop.
 * @throws the file system's error if the table cannot be read.
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
 * Parses lines of `/proc/net/tcp` or `tcp6` (proc_pid_net(5); `get_tcp4_sock` in the kernel): slot, local address, peer,
 * state, queues, timer, retransmissions (hexadecimal), user, probes (decimal).
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

/** Returns the key that identifies a socket in the table. @param address in the format of `socket.remoteAddress`. */
export function formatPeer(address: string | undefined, port: number | undefined): string {
  // For a link-local address, Node appends the interface and the kernel does not.
  return `${address?.replace(/%.*/, "")} ${port}`;
}

/** Formats an IP address. @param hex the address in the table: 32-bit words in the byte order of the machine. */
function toAddress(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  if (endianness() === "LE") bytes.swap32();
  if (bytes.length === 4) return bytes.join(".");
  const address = bytes.toString("hex").replaceAll(/(.{4})(?!$)/g, "$1:");
  return new SocketAddress({ address, family: "ipv6" }).address;
}
