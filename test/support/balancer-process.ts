import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findFreePort, isListening } from "./ports.ts";
import { waitUntil } from "./wait.ts";

/** A load balancer that a file in `deploy/` configures. */
interface Balancer {
  readonly file: string;
  /** Texts in the file, and their replacements. */
  readonly changes: (listen: number, gateways: readonly [number, number]) => readonly [string, string][];
  /** Wraps the text of the file in a complete configuration. Only nginx needs this: its file is a fragment. */
  readonly wrap?: (file: string) => string;
  readonly command: (config: string, directory: string) => readonly [string, ...string[]];
  /** Returns the configuration with the gateway on this port marked as down; undefined: the balancer checks /readyz. */
  readonly markDown?: (config: string, gateway: number) => string;
}

/** A running load balancer. */
export interface BalancerProcess {
  readonly port: number;
  /** Marks the gateway on this port as down and reloads. Does nothing if the balancer checks /readyz. */
  markDown(gateway: number): Promise<void>;
  /** Restores and reloads the original configuration. Does nothing if the balancer checks /readyz. */
  reload(): Promise<void>;
  /** Stops the process and waits until it exits. */
  close(): Promise<void>;
}

/** Options of a balancer process. */
interface BalancerOptions {
  /** Directory for the configuration and the files of the process. */
  readonly directory: string;
  /** Changes the text of the file in `deploy/`, for experiments. */
  readonly edit?: ((text: string) => string) | undefined;
  /** Called with all output of the process. */
  readonly onOutput?: (text: string) => void;
}

// Like Debian's nginx.conf: one worker per core, each with its own connections to the gateways.
const nginx: Pick<Balancer, "wrap" | "command" | "markDown"> = {
  wrap: (file) => `daemon off; error_log stderr; pid nginx.pid; worker_processes auto;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
${file}
}`,
  command: (config, directory) => ["nginx", "-p", directory, "-c", config],
  markDown: (config, gateway) => config.replace(`:${gateway} max_fails=0`, `:${gateway} max_fails=0 down`),
};

const BALANCERS: readonly Balancer[] = [
  {
    ...nginx,
    file: "nginx.conf",
    changes: (listen, [a, b]) => [
      ["listen 80;", `listen 127.0.0.1:${listen};`],
      ["server 127.0.0.1:8080 max_fails=0;", `server 127.0.0.1:${a} max_fails=0;`],
      ["# server 127.0.0.1:8081 max_fails=0;", `server 127.0.0.1:${b} max_fails=0;`],
    ],
  },
  {
    ...nginx,
    file: "compose.nginx.conf",
    changes: (listen, [a, b]) => [
      ["listen 80;", `listen 127.0.0.1:${listen};`],
      ["sluice-a:8080", `127.0.0.1:${a}`],
      ["sluice-b:8080", `127.0.0.1:${b}`],
    ],
  },
  {
    file: "haproxy.cfg",
    changes: (listen, [a, b]) => [
      ["bind :80", `bind 127.0.0.1:${listen}`],
      ["server a 127.0.0.1:8080", `server a 127.0.0.1:${a}`],
      ["# server b 127.0.0.1:8081", `server b 127.0.0.1:${b}`],
    ],
    command: (config) => ["haproxy", "-db", "-f", config],
  },
  {
    file: "Caddyfile",
    changes: (listen, [a, b]) => [
      [":80 {", `{\n\tadmin off\n}\n:${listen} {`],
      ["reverse_proxy 127.0.0.1:8080 {", `reverse_proxy 127.0.0.1:${a} 127.0.0.1:${b} {`],
    ],
    command: (config) => ["caddy", "run", "--adapter", "caddyfile", "--config", config],
  },
];

/** Files in `deploy/` that configure a load balancer. */
export const BALANCER_FILES: readonly string[] = BALANCERS.map(({ file }) => file);

/**
 * Starts a load balancer with a file from `deploy/`, in which only the addresses are replaced.
 * @param file one of {@link BALANCER_FILES}. @param gateways ports of two gateways.
 */
export async function launchBalancer(
  file: string,
  gateways: readonly [number, number],
  { directory, edit = (text) => text, onOutput = () => {} }: BalancerOptions,
): Promise<BalancerProcess> {
  const balancer = BALANCERS.find((candidate) => candidate.file === file);
  if (!balancer) throw new Error(`no load balancer has the file ${file}`);
  const port = await findFreePort();
  const path = join(directory, "config");
  const config = edit(renderConfig(balancer, port, gateways));
  writeFileSync(path, config);
  // If root starts nginx, its workers run as another user. They need access to store large bodies in the directory.
  chmodSync(directory, 0o755);
  const child = spawnBalancer(balancer.command(path, directory), directory, onOutput);
  await waitUntil(() => isListening(port), `${file} to listen`, 10_000).catch((error: unknown) => {
    child.process.kill("SIGTERM");
    throw new Error(`${String(error)}: ${child.firstOutput()}`, { cause: error });
  });
  const reload = async (text: string): Promise<void> => {
    writeFileSync(path, text);
    const before = listChildren(child.process.pid);
    child.process.kill("SIGHUP");
    await waitUntil(
      () => !listChildren(child.process.pid).some((pid) => before.includes(pid)),
      "the old workers to exit",
    );
  };
  const { markDown } = balancer;
  return {
    port,
    markDown: (gateway) => (markDown ? reload(markDown(config, gateway)) : Promise.resolve()),
    reload: () => (markDown ? reload(config) : Promise.resolve()),
    close: async () => {
      child.process.kill("SIGTERM");
      await child.ended;
    },
  };
}

function renderConfig(
  { file, changes, wrap }: Balancer,
  port: number,
  gateways: readonly [number, number],
): string {
  let text = readFileSync(join("deploy", file), "utf8");
  for (const [original, replacement] of changes(port, gateways)) {
    if (!text.includes(original)) throw new Error(`${file} does not contain "${original}"`);
    text = text.replace(original, replacement);
  }
  return wrap?.(text) ?? text;
}

const FIRST_OUTPUT_CHARS = 4_096;

function spawnBalancer(
  [command, ...args]: readonly [string, ...string[]],
  directory: string,
  onOutput: (text: string) => void,
): { process: ChildProcess; ended: Promise<void>; firstOutput: () => string } {
  const env = { ...process.env, HOME: directory };
  const child = spawn(command, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"], env });
  let first = "";
  const collect = (text: string): void => {
    if (first.length < FIRST_OUTPUT_CHARS) first += text;
    onOutput(text);
  };
  for (const output of [child.stdout, child.stderr])
    output.on("data", (chunk: Buffer) => collect(chunk.toString()));
  child.once("error", (error) => collect(error.message));
  const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  return { process: child, ended, firstOutput: () => first };
}

function listChildren(pid = 0): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
}
