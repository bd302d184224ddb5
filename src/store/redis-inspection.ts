import { Redis, ReplyError } from "ioredis";
import { withoutText } from "./redis.ts";

const CONNECT_TIMEOUT_MS = 3_000;
const COMMAND_TIMEOUT_MS = 3_000;

/** The state of a Redis server that matters to gateways. */
export interface RedisState {
  /** ms of each PING. */
  readonly pingTimes: readonly number[];
  /** Such as 7.2.4; undefined if the server does not state it. The same holds for the other texts. */
  readonly version: string | undefined;
  readonly evictionPolicy: string | undefined;
  readonly role: string | undefined;
  /** The code of the error with which the server refused a script; undefined if it ran one. */
  readonly scriptError: string | undefined;
}

/**
 * Reads the state of a Redis server, without changing it.
 * @param signal ends the inspection.
 * @throws an error of the connection or of Redis, without a text of Redis.
 */
export async function inspectRedis(url: string, pings: number, signal: AbortSignal): Promise<RedisState> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // The error of a connection is better than that of the command, which states only that the connection is closed.
  let failure: Error | undefined;
  client.on("error", (error) => (failure ??= error));
  const close = (): void => client.disconnect();
  signal.addEventListener("abort", close);
  try {
    await client.connect();
    const pingTimes: number[] = [];
    for (let sent = 0; sent < pings; sent++) {
      const startedAt = performance.now();
      await client.ping();
      pingTimes.push(performance.now() - startedAt);
    }
    return {
      pingTimes,
      ...readInfo(await client.info().catch(() => "")),
      scriptError: await tryScript(client),
    };
  } catch (error) {
    throw withoutText(failure ?? (error as Error));
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/** Reads the text of INFO. A server for several tenants may refuse INFO, which is no fault. */
function readInfo(text: string): Pick<RedisState, "version" | "evictionPolicy" | "role"> {
  const read = (name: string): string | undefined =>
    text
      .split(/\r?\n/)
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1);
  return { version: read("redis_version"), evictionPolicy: read("maxmemory_policy"), role: read("role") };
}

async function tryScript(client: Redis): Promise<string | undefined> {
  try {
    await client.eval("return 1", 0);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && error instanceof ReplyError)) throw error;
    return (withoutText(error) as NodeJS.ErrnoException).code;
  }
}
