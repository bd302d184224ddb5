import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { waitUntil, waitFor } from "./wait.ts";

/** What is special about the processes of a replica. */
interface ReplicaOptions {
  /** For Node itself, before the file. */
  readonly nodeArgs?: readonly string[];
  /** Called with each line that a process writes, which is then not kept. */
  readonly onLine?: (line: string) => void;
}

/** A gateway process that can be killed and started again. */
export class Replica {
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  /** Over when it serves. */
  whenUp: Promise<void> = Promise.resolve();
  /** Everything that its processes have written, unless they write to `onLine`. */
  output = "";
  readonly #options: ReplicaOptions;

  /** @param env its whole environment. */
  constructor(port: number, env: Readonly<Record<string, string>>, options: ReplicaOptions = {}) {
    this.port = port;
    this.#env = { ...env, PORT: String(port) };
    this.#options = options;
  }

  /** Of the running process; undefined: there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it and waits until it is ready. */
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

  /** Kills it without a warning and starts it again. */
  restart(): Promise<void> {
    this.whenUp = this.kill().then(() => this.start());
    return this.whenUp;
  }

  /** Kills it without a warning. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops it in order. @returns its exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const exit = once(child, "close");
    child.kill(signal);
    await waitFor(exit, `replica on port ${this.port} to end`, 30_000);
    return child.exitCode;
  }
}
