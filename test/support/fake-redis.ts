import { createServer, type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A server that speaks Redis's protocol and sends the replies that a test chooses. */
interface FakeRedis {
  readonly url: string;
  /** All commands so far. The first element of each is its name, in upper case. */
  readonly commands: readonly (readonly string[])[];
}

const INFO = "redis_version:7.0.0\r\nloading:0\r\n";
const VALID: Readonly<Record<string, string>> = {
  INFO: `$${INFO.length}\r\n${INFO}\r\n`,
  PING: "+PONG\r\n",
};

/**
 * Starts the server on a free port. It stops when the test ends.
 * @param replies raw bytes of the reply to each command. Other commands get a valid reply.
 */
export async function startFakeRedis(replies: Readonly<Record<string, string>>): Promise<FakeRedis> {
  const commands: string[][] = [];
  const server = createServer((socket) => {
    let pending = "";
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      pending += bytes.toString("latin1");
      for (let parsed = parseCommand(pending); parsed; parsed = parseCommand(pending)) {
        pending = pending.slice(parsed.length);
        const [name = "", ...args] = parsed.command;
        const upper = name.toUpperCase();
        commands.push([upper, ...args]);
        socket.write(replies[upper] ?? VALID[upper] ?? "+OK\r\n", "latin1");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, commands };
}

/** @returns the first command of `text` and its length; undefined if it is incomplete. */
function parseCommand(text: string): { command: string[]; length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (!head) return undefined;
  let at = head[0].length;
  const command: string[] = [];
  for (let left = Number(head[1]); left > 0; left--) {
    const bulk = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (!bulk) return undefined;
    at += bulk[0].length;
    const end = at + Number(bulk[1]);
    if (text.length < end + 2) return undefined;
    command.push(text.slice(at, end));
    at = end + 2;
  }
  return { command, length: at };
}
