import { parseArgs } from "node:util";
import { CHECKS, GROUPS } from "./catalogue.ts";

/** Options of the command line. */
export interface VerifyOptions {
  readonly gateway: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly format: "text" | "json";
  readonly upstreamPort: number;
  readonly only: readonly string[] | undefined;
  readonly skip: readonly string[];
  /** List the checks, and run none. */
  readonly list: boolean;
}

/** The command line is invalid; the message states the mistake. */
export class UsageError extends Error {}

export const USAGE = `Usage: npm run verify -- --gateway URL --key KEY [options]

Starts a simulated OpenRouter, sends requests through the gateway at URL, and reports where the gateway lost or changed
bytes and headers, or lost time. Start the gateway with http://127.0.0.1:9180/api/v1 as its upstream.

  --gateway URL          base URL, as for an SDK, such as http://127.0.0.1:8080/openai/v1
  --key KEY              a key that the gateway accepts
  --header name:value    send this header with every request; may be repeated
  --upstream-port N      port of the simulated OpenRouter; default 9180
  --only id,id           run only these checks
  --skip group,group     omit these groups of checks, because they do not apply to the gateway
  --format text|json     format of the report; default text
  --list                 list all checks and run none

Exit status: 0 if every check passed, 1 if not, 2 if the command line is wrong or the gateway cannot be reached.
`;

const FLAGS = {
  gateway: { type: "string" },
  key: { type: "string" },
  header: { type: "string", multiple: true },
  format: { type: "string", default: "text" },
  "upstream-port": { type: "string", default: "9180" },
  only: { type: "string" },
  skip: { type: "string" },
  list: { type: "boolean", default: false },
} as const;

function splitKnown(flag: string, text: string | undefined, known: readonly string[]): string[] | undefined {
  const names = text?.split(",").map((name) => name.trim());
  const unknown = names?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) throw new UsageError(`${flag}: unknown ${unknown.join(", ")}; --list shows all`);
  return names;
}

function parseHeader(text: string): [string, string] {
  const match = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(text);
  if (!match) throw new UsageError(`--header: "${text}" is not name:value`);
  return [(match[1] ?? "").toLowerCase(), match[2] ?? ""];
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new UsageError(`--upstream-port: "${text}" is not a port`);
  return port;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Reads a command line. @throws UsageError for the first mistake. */
export function parseOptions(args: readonly string[]): VerifyOptions {
  const values = parse(args);
  const { gateway = "", key = "", format, list } = values;
  if (format !== "text" && format !== "json") throw new UsageError("--format is text or json");
  if (!list && !/^https?:$/.test(URL.parse(gateway)?.protocol ?? "")) {
    throw new UsageError("--gateway must be an http or https URL");
  }
  if (!list && !/^[\x21-\x7e]+$/.test(key)) throw new UsageError("--key must be one key without spaces");
  const ids = CHECKS.map(({ id }) => id);
  return {
    gateway,
    key,
    headers: Object.fromEntries((values.header ?? []).map(parseHeader)),
    format,
    upstreamPort: parsePort(values["upstream-port"]),
    only: splitKnown("--only", values.only, ids),
    skip: splitKnown("--skip", values.skip, GROUPS) ?? [],
    list,
  };
}
