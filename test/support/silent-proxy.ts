import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A TCP proxy on a free port. */
interface SilentProxy {
  readonly port: number;
  /** Stops forwarding on the open connections, and keeps them open. New connections work. */
  readonly silence: () => void;
  /** Stops forwarding on the open connections and on new ones, until `thaw`. */
  readonly freeze: () => void;
  /** Makes new connections work again. */
  readonly thaw: () => void;
}

/**
 * Starts a TCP proxy that can behave like a firewall that drops packets.
 * @param to the port on this machine to which connections are forwarded.
 */
export async function startSilentProxy(to: number): Promise<SilentProxy> {
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const proxy = createServer((near) => {
    if (isFrozen) {
      sockets.add(near.on("error", () => {}));
      return;
    }
    const far = connect(to, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    near.pipe(far).pipe(near);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const silence = (): void => {
    for (const socket of sockets) socket.unpipe().pause();
  };
  return {
    port: (proxy.address() as AddressInfo).port,
    silence,
    freeze() {
      isFrozen = true;
      silence();
    },
    thaw() {
      isFrozen = false;
    },
  };
}
