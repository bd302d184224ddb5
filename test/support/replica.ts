import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { waitUntil, waitFor } from "./wait.ts";

/** Options for the processes of a replica. */
interface ReplicaOptions {
  /** Arguments for Node, which precede the file. */
  readonly nodeArgs?: readonly string[];
  /** Called with each line of output. If set, `output` stays empty. */
  readonly onLine?: (line: string) => void;
}

/** A gateway process that can be killed and restarted. */
export class Replica {
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  /** Resolves when the process listens again after the latest restart. */
  whenUp: Promise<void> = Promise.resolve();
  /** All output of the processes, unless `onLine` is set. */
  output = "";
  readonly #options: ReplicaOptions;

  /** @param env the complete environment of the process. */
  constructor(port: number, env: Readonly<Record<string, string>>, options: ReplicaOptions = {}) {
    this.port = port;
    this.#env = { ...env, PORT: String(port) };
    this.#options = options;
  }

  /** The id of the process; undefined if none was started. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process and waits until it listens. */
  async start(): Promise<void> {
    const { nodeArgs = [], onLine } = this.#options;
    const child = spawn(process.execPath, [...nodeArgs, "src/server.ts"], {
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    let listens = false;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => {
        listens ||= line.includes('"server: listening"');
        if (onLine) onLine(line);
        else this.output += `${line}\n`;
      });
    }
    await waitUntil(() => listens, `replica on port ${this.port} to listen`, 20_000);
  }

  /** Kills the process with SIGKILL and starts it again. */
  restart(): Promise<void> {
    this.whenUp = this.kill().then(() => this.start());
    return this.whenUp;
  }

  /** Kills the process with SIGKILL. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops the process with SIGTERM. @returns its exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const exit = once(child, "close");
    child.kill(signal);
    await waitFor(exit, `replica on port ${this.port} to exit`, 30_000);
    return child.exitCode;
  }
}
