import type { Server, Socket } from "node:net";
import { setImmediate as onImmediate } from "node:timers";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { findActiveRequest } from "./active-requests.ts";

/** Whether the process is shutting down. One per app; readiness and every response look at it. */
export class ShutdownState {
  #isShuttingDown = false;

  get isShuttingDown(): boolean {
    return this.#isShuttingDown;
  }

  /** From now on readiness fails and every response asks for its connection to be closed. */
  begin(): void {
    this.#isShuttingDown = true;
  }
}

/** How often connections that have become idle are looked for while the server closes. */
const SWEEP_MS = 50;
/** Longer than a request is on its way that was sent over a connection before its sender could know better. */
const IDLE_MS = 500;
/** Of a connection on which bytes come and make no request. */
const UNFINISHED_MAX_MS = 2_000;

/** How a connection was when it was first seen with nothing under way. */
interface Idle {
  /** `performance.now()`. */
  readonly since: number;
  /** When its last bytes were seen to have come, and how many had come by then. */
  quietSince: number;
  bytes: number;
}

/**
 * Makes `app.close()` finish soon after the last answer has been sent, and not before. Node closes connections that are
 * idle when closing begins, but not those that become idle after (fastify#7044): they would hold the process for the
 * keep-alive time. And it takes for idle those whose answer has ended but has not left yet, and would truncate it, and those
 * whose request is on its way, and would reset it: a load balancer may not send a POST once more. So a connection is idle
 * when nothing was under way on it for {@link IDLE_MS}, and nothing came.
 */
export function closeIdleConnections(app: FastifyInstance): void {
  const sockets = new Map<Socket, Idle | undefined>();
  app.server.on("connection", (socket) => {
    sockets.set(socket, undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  const closeIdleAsOf = (now: number): void => {
    for (const [socket, before] of sockets) {
      const idle = findActiveRequest(socket) ? undefined : observeIdle(socket, before, now);
      sockets.set(socket, idle);
      if (idle && isIdleLongEnough(idle, now)) socket.destroy();
    }
  };
  app.server.closeIdleConnections = () => closeIdleAsOf(performance.now());
  // Timers come before reading in a turn of the event loop: what had arrived by the time of the timer is read before the
  // connections are judged as of that time, however long the turn takes.
  const sweep = (): void => {
    const now = performance.now();
    onImmediate(() => closeIdleAsOf(now));
  };
  app.addHook("preClose", (done) => {
    const timer = setInterval(sweep, SWEEP_MS);
    app.server.once("close", () => clearInterval(timer));
    done();
  });
}

function observeIdle(socket: Socket, before: Idle | undefined, now: number): Idle {
  const bytes = socket.bytesRead;
  if (!before) return { since: now, quietSince: now, bytes };
  if (before.bytes !== bytes) Object.assign(before, { quietSince: now, bytes });
  return before;
}

function isIdleLongEnough({ since, quietSince }: Idle, now: number): boolean {
  return now - quietSince >= IDLE_MS || now - since >= UNFINISHED_MAX_MS;
}

/**
 * Begins the shutdown: serves for `delayMs` while readiness fails and responses ask for their connections to be closed, and
 * then stops listening. Without a delay, responses ask for it only after that: a load balancer that has to close its
 * connections opens new ones, and the last of them could be reset.
 */
export async function beginShutdown(server: Server, shutdown: ShutdownState, delayMs: number): Promise<void> {
  if (delayMs > 0) {
    shutdown.begin();
    await sleep(delayMs);
  }
  await stopListening(server);
  shutdown.begin();
}

/** How long an idle tick may take: the time in which a new connection can come and be reset. */
const IDLE_TICK_MS = 0.05;
/** On a busy process, whose turns are all longer, the limit grows by this share of the time that has passed. */
const IDLE_TICK_GROWTH = 1 / 500;
/** For a process that accepts connections in every turn. It serves meanwhile. */
const IDLE_TICK_WAIT_MS = 2_000;

/**
 * Stops listening and keeps the open connections. The system resets connections that it has opened and nobody has accepted:
 * behind a load balancer that cannot see readiness, each of them may be a POST that failed. So this waits for an idle tick of
 * the event loop and closes the listening socket in that same turn; `app.close()` alone runs its hooks first, which takes
 * several turns.
 * @param server an HTTP or TCP server that listens.
 */
export async function stopListening(server: Server): Promise<void> {
  await waitForIdleTick(server);
  server.close();
}

/**
 * Waits for a short turn of the event loop in which no connection was accepted. libuv accepts one connection a turn (since
 * 1.49), so a turn without one proves that none was waiting; a short turn without that proof does not.
 */
async function waitForIdleTick(server: Server): Promise<void> {
  let accepted = 0;
  const count = (): void => void (accepted += 1);
  server.on("connection", count);
  const startedAt = performance.now();
  for (let before = startedAt; before - startedAt < IDLE_TICK_WAIT_MS;) {
    const acceptedBefore = accepted;
    await setImmediate();
    const now = performance.now();
    const limitMs = IDLE_TICK_MS + (now - startedAt) * IDLE_TICK_GROWTH;
    if (accepted === acceptedBefore && now - before < limitMs) break;
    before = now;
  }
  server.off("connection", count);
}
