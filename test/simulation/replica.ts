import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { until, within } from "../support/until.ts";

/** A gateway process that can be killed and started again. */
export class Replica {
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  /** Over when it serves. */
  up: Promise<void> = Promise.resolve();
  /** Everything that its processes have written. */
  output = "";

  /** @param env its whole environment. */
  constructor(port: number, env: Readonly<Record<string, string>>) {
    this.port = port;
    this.#env = { ...env, PORT: String(port) };
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, ["src/server.ts"], {
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const before = this.output.length;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (this.output += chunk.toString("latin1")));
    await until(
      () => this.output.includes('"listening"', before),
      `replica on port ${this.port} to listen`,
      20_000,
    );
  }

  /** Kills it without a warning and starts it again. */
  restart(): Promise<void> {
    this.up = this.kill().then(() => this.start());
    return this.up;
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
    await within(exit, `replica on port ${this.port} to end`, 30_000);
    return child.exitCode;
  }
}
