import { totalmem } from "node:os";
import process from "node:process";
import { getHeapStatistics } from "node:v8";
import type { Config } from "../config/config.ts";
import { computeMaxConnections, readOpenFilesLimit } from "../http/descriptor-limit.ts";
import { failed, ok, type Result, skipped, warning } from "./finding.ts";
import { formatBytes } from "./finding-text.ts";

const MIB = 1_048_576;
/** Memory of the process outside of bodies and heap: code, threads, buffers of connections, SQLite. */
const OTHER_MEMORY_BYTES = 128 * MIB;
/** Files besides the two connections of each request: databases, journal, log, threads and listeners. */
const OTHER_FILES = 64;

/** Reports the version of Node that runs the command, and so the gateway that is started in the same way. */
export function checkNode(npmUserAgent: string | undefined): Result[] {
  const npm = /\bnpm\/(\S+) node\/(\S+)/.exec(npmUserAgent ?? "");
  const started = npm ? `, started by npm ${npm[1]} on Node ${npm[2]}` : "";
  return [ok(`Node ${process.version} on ${process.platform} ${process.arch}${started}.`)];
}

/** Compares the limit of open files with the number of requests that the gateway admits. */
export function checkDescriptors({ maxInFlight, maxConnections }: Config): Result[] {
  const limit = readOpenFilesLimit();
  if (limit === undefined) return [skipped("The limit of open files is unknown, or there is none.")];
  const fits = computeMaxConnections(limit);
  const connections = Math.max(maxInFlight, maxConnections ?? 0);
  const needed = 2 * connections + OTHER_FILES;
  const facts = `This process may open ${limit} files (hard limit, to which Node raises the soft one): enough for ${fits} connections`;
  const remedy = `Raise the limit to ${needed}: ulimit -Hn ${needed} in the shell that starts the gateway, LimitNOFILE=${needed} in its systemd unit, or --ulimit nofile=${needed}:${needed} for Docker.`;
  if (maxConnections !== undefined && maxConnections > fits)
    return [
      failed(
        `${facts}, and MAX_CONNECTIONS is ${maxConnections}.`,
        `${remedy} Or set MAX_CONNECTIONS to at most ${fits}.`,
      ),
    ];
  if (limit < needed)
    return [
      warning(
        `${facts}, and MAX_IN_FLIGHT is ${maxInFlight}.`,
        `${remedy} Or set MAX_IN_FLIGHT to at most ${fits}: the gateway closes idle connections, and refuses clients beyond the limit.`,
      ),
    ];
  return [ok(`${facts}, and MAX_IN_FLIGHT is ${maxInFlight}.`)];
}

/** The memory of a machine or container, in bytes. */
export interface MemoryLimits {
  /** undefined: without a limit of a container. */
  readonly container: number | undefined;
  readonly machine: number;
  /** The largest heap that V8 may allocate. */
  readonly heap: number;
}

/** Reads the limits of this process. */
export function readMemoryLimits(): MemoryLimits {
  const machine = totalmem();
  const constrained = process.constrainedMemory();
  // Without a limit, Node returns 0 or a number that is larger than any machine.
  const container = constrained > 0 && constrained < machine ? constrained : undefined;
  return { container, machine, heap: getHeapStatistics().heap_size_limit };
}

/** Compares the memory of the container or machine with the memory that bodies and heap may take. */
export function checkMemory(
  { bodyMemoryBytes }: Config,
  { container, machine, heap }: MemoryLimits,
): Result[] {
  const memory = container ?? machine;
  const where = container === undefined ? "This machine has" : "This container may use";
  const needed = bodyMemoryBytes + heap + OTHER_MEMORY_BYTES;
  const facts = `${where} ${formatBytes(memory)}. Request bodies may take ${formatBytes(bodyMemoryBytes)} (BODY_MEMORY_BYTES), V8's heap ${formatBytes(heap)}, the rest of the process about ${formatBytes(OTHER_MEMORY_BYTES)}: ${formatBytes(needed)}`;
  if (needed <= memory) return [ok(`${facts}.`)];
  const remedy = createMemoryRemedy(memory, { bodyMemoryBytes, heap, needed });
  return [
    bodyMemoryBytes + OTHER_MEMORY_BYTES > memory
      ? failed(`${facts}. Bodies alone can make the system kill the gateway.`, remedy)
      : warning(`${facts}. Under load the system can kill the gateway.`, remedy),
  ];
}

function createMemoryRemedy(
  memory: number,
  { bodyMemoryBytes, heap, needed }: { bodyMemoryBytes: number; heap: number; needed: number },
): string {
  const heapLeft = Math.floor((memory - bodyMemoryBytes - OTHER_MEMORY_BYTES) / MIB);
  const bodiesLeft = memory - heap - OTHER_MEMORY_BYTES;
  const options = [
    `raise the limit to ${formatBytes(needed)}`,
    ...(heapLeft >= 128 ? [`set NODE_OPTIONS=--max-old-space-size=${heapLeft}`] : []),
    ...(bodiesLeft >= 16 * MIB ? [`set BODY_MEMORY_BYTES to at most ${bodiesLeft}`] : []),
    ...(heapLeft < 128 && bodiesLeft < 16 * MIB
      ? [
          `set BODY_MEMORY_BYTES=${Math.max(MIB, Math.floor(memory / 4))} and NODE_OPTIONS=--max-old-space-size=${Math.max(64, Math.floor(memory / 2 / MIB))}`,
        ]
      : []),
  ];
  const text = options.join(", or ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
