import type { Server, Socket } from "node:net";
import { setImmediate as onImmediate } from "node:timers";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { findActiveRequest } from "./active-requests.ts";

/** Whether the process is shutting down. Each app has one instance, which the readiness check and every response read. */
export class ShutdownState {
  #isShuttingDown = false;

  get isShuttingDown(): boolean {
    return this.#isShuttingDown;
  }

  /** From this call on, readiness fails and every response carries `connection: close`. */
  begin(): void {
    this.#isShuttingDown = true;
  }
}

/** Interval at which idle connections are closed during a shutdown. */
const SWEEP_MS = 50;
/** Idle time before a keep-alive connection is closed, so that a request already in transit is still served. */
const IDLE_MS = 500;
/** Time that a connection has to complete the head of a request whose bytes keep arriving. */
const UNFINISHED_MAX_MS = 2_000;

/** Observations of a connection since it was first seen without a request in flight. */
interface Idle {
  /** `performance.now()`. */
  readonly since: number;
  /** `performance.now()` when the last bytes were observed, and the number of bytes received by then. */
  quietSince: number;
  bytes: number;
}

/**
 * Makes `app.close()` finish soon after the last response has been sent, and not before. It replaces
 * `server.closeIdleConnections()`, which has two faults:
 * - It misses connections that become idle later (fastify#7044), which would delay the exit by the keep-alive timeout.
 * - It closes connections whose response has ended but is not flushed, which truncates the response. It also closes
 *   connections whose next request is in transit, which resets that request; a load balancer may not retry a POST.
 *
 * Here a connection is idle if it has had no request in flight and has received no bytes for {@link IDLE_MS}.
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
  // The event loop runs timers, then reads sockets, then runs immediates. So the check, which runs as an immediate, sees
  // all bytes that had arrived when the timer fired. It uses the time of the timer, however long the turn takes.
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
 * Begins the shutdown: serves requests for `delayMs` while readiness fails and responses carry `connection: close`, and then
 * stops listening. If `delayMs` is 0, responses carry the header only after listening has stopped: the header makes a load
 * balancer open new connections, and the newest of them could be reset.
 */
export async function beginShutdown(server: Server, shutdown: ShutdownState, delayMs: number): Promise<void> {
  if (delayMs > 0) {
    shutdown.begin();
    await sleep(delayMs);
  }
  await stopListening(server);
  shutdown.begin();
}

/** Longest duration of an idle tick. A connection that arrives in this time can be reset. */
const IDLE_TICK_MS = 0.05;
/** The limit grows by this fraction of the time waited, for a busy process whose ticks are all longer. */
const IDLE_TICK_GROWTH = 1 / 500;
/** Longest wait for an idle tick; a process may accept connections in every tick. Requests are served during the wait. */
const IDLE_TICK_WAIT_MS = 2_000;

/**
 * Stops listening, and keeps the open connections. When the listening socket closes, the system resets all connections that
 * the process has not accepted yet. Behind a load balancer that ignores readiness, each of them may carry a POST. So this
 * function waits for an idle tick of the event loop and closes the socket in that tick. `app.close()` alone would close it
 * several ticks later, after its hooks.
 * @param server an HTTP or TCP server that is listening.
 */
export async function stopListening(server: Server): Promise<void> {
  await waitForIdleTick(server);
  server.close();
}

/**
 * Waits for a short tick of the event loop in which no connection was accepted. libuv accepts one connection per tick (since
 * 1.49), so a tick without one proves that none was waiting. A tick that was merely short proves nothing.
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
