import { Client } from "pg";

const LISTEN_AGAIN_MS = 1_000;
const CONNECT_TIMEOUT_MS = 3_000;

/** A PostgreSQL channel that replicas notify, and the handlers of its notifications. */
export interface Channel {
  readonly name: string;
  /** Name of the connection in `pg_stat_activity`. */
  readonly applicationName: string;
  readonly onNotification: (payload: string) => void;
  /** Called when the connection is ready. Earlier notifications may have been missed. */
  readonly onConnected?: () => void;
}

/**
 * Listens to a channel, and reconnects every second while the connection is lost.
 * @returns a function that stops listening.
 */
export function listenToChannel(connectionString: string, channel: Channel): () => void {
  const listening = new AbortController();
  void listen(connectionString, channel, listening.signal);
  return () => listening.abort();
}

async function listen(connectionString: string, channel: Channel, stopped: AbortSignal): Promise<void> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: channel.applicationName,
  });
  let hasEnded = false;
  const reconnect = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    stopped.removeEventListener("abort", reconnect);
    client.end().catch(() => {});
    if (!stopped.aborted)
      setTimeout(() => void listen(connectionString, channel, stopped), LISTEN_AGAIN_MS).unref();
  };
  client.on("error", () => {});
  client.once("end", reconnect);
  client.on("notification", ({ payload }) => channel.onNotification(payload ?? ""));
  stopped.addEventListener("abort", reconnect);
  try {
    await client.connect();
    await client.query(`listen ${channel.name}`);
    channel.onConnected?.();
  } catch {
    reconnect();
  }
}
