import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "./free-port.ts";
import { listens } from "./listens.ts";
import { temporaryDirectory } from "./store.ts";
import { until } from "./until.ts";

/** A load balancer, as one of the files in `deploy/` sets it up. */
interface Balancer {
  readonly file: string;
  /** What stands in the file, and what has to stand there instead. */
  readonly changes: (listen: number, gateways: readonly [number, number]) => readonly [string, string][];
  /** What is around the file, which for nginx is only a part. */
  readonly around?: (file: string) => string;
  readonly command: (config: string, directory: string) => readonly [string, ...string[]];
  /** How its file says that a gateway is taken out before it is stopped; undefined: it looks at /readyz itself. */
  readonly takeOut?: (config: string, gateway: number) => string;
}

/** A load balancer that runs. */
export interface RunningBalancer {
  readonly port: number;
  /** Does what has to be done before this gateway is stopped. @param gateway its port. */
  takeOut(gateway: number): Promise<void>;
  /** And when it is back. */
  putBack(): Promise<void>;
}

const nginx: Pick<Balancer, "around" | "command" | "takeOut"> = {
  around: (file) => `daemon off; error_log stderr; pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
${file}
}`,
  command: (config, directory) => ["nginx", "-p", directory, "-c", config],
  takeOut: (config, gateway) => config.replace(`:${gateway} max_fails=0`, `:${gateway} max_fails=0 down`),
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

/** The files in `deploy/` that set up a load balancer. */
export const BALANCER_FILES: readonly string[] = BALANCERS.map(({ file }) => file);

/**
 * Starts a load balancer that ends with the test, with nothing changed in its file but addresses.
 * @param file one of {@link BALANCER_FILES}. @param gateways ports of two.
 */
export async function startBalancer(
  file: string,
  gateways: readonly [number, number],
): Promise<RunningBalancer> {
  const balancer = BALANCERS.find((one) => one.file === file);
  if (!balancer) throw new Error(`no load balancer has the file ${file}`);
  const port = await freePort();
  const directory = temporaryDirectory();
  const path = join(directory, "config");
  const config = configOf(balancer, port, gateways);
  writeFileSync(path, config);
  const child = await run(balancer.command(path, directory), directory, port);
  const reload = async (text: string): Promise<void> => {
    writeFileSync(path, text);
    const before = childrenOf(child.pid);
    child.kill("SIGHUP");
    await until(
      () => !childrenOf(child.pid).some((pid) => before.includes(pid)),
      "the former workers to end",
    );
  };
  const { takeOut } = balancer;
  return {
    port,
    takeOut: (gateway) => (takeOut ? reload(takeOut(config, gateway)) : Promise.resolve()),
    putBack: () => (takeOut ? reload(config) : Promise.resolve()),
  };
}

function configOf(
  { file, changes, around }: Balancer,
  port: number,
  gateways: readonly [number, number],
): string {
  let text = readFileSync(join("deploy", file), "utf8");
  for (const [there, instead] of changes(port, gateways)) {
    if (!text.includes(there)) throw new Error(`${file} does not say "${there}"`);
    text = text.replace(there, instead);
  }
  return around?.(text) ?? text;
}

async function run(
  [command, ...words]: readonly [string, ...string[]],
  directory: string,
  port: number,
): Promise<ChildProcess> {
  const env = { ...process.env, HOME: directory };
  const child = spawn(command, words, { cwd: directory, stdio: ["ignore", "pipe", "pipe"], env });
  let said = "";
  for (const output of [child.stdout, child.stderr])
    output.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.once("error", (error) => (said += error.message));
  const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  await until(() => listens(port), `${command} to listen`, 10_000).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${said}`, { cause: error });
  });
  return child;
}

function childrenOf(pid = 0): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
}
