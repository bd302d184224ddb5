import process from "node:process";
import { type Command, Option } from "commander";
import type { EnvironmentRecord } from "../config/sources.ts";
import type { Finding, Status } from "../doctor/finding.ts";
import { escapeUnprintableJson } from "../printable.ts";
import { parseDuration } from "./options.ts";

interface DoctorCommandOptions {
  readonly url?: string;
  readonly idle: number;
  readonly json: boolean;
  readonly disk: boolean;
}

const DEFAULT_IDLE_MS = 65_000;
const STATUSES: readonly Status[] = ["ok", "warning", "failed", "skipped"];
const MARKS: Readonly<Record<Status, string>> = { ok: "✓", warning: "!", failed: "✗", skipped: "-" };

/** Adds the command `doctor`, which checks a deployment. It needs no database, and creates none. */
export function addDoctorCommand(program: Command, environment: EnvironmentRecord): void {
  program
    .command("doctor")
    .description("check this deployment, and say how to mend each fault")
    .option(
      "--url <url>",
      "base URL of clients, such as https://gateway.example.com/openai/v1; needs SLUICE_KEY",
    )
    .option(
      "--idle <duration>",
      "how long a stream through --url is silent; 0: not tested",
      parseDuration,
      DEFAULT_IDLE_MS,
    )
    .option("--json", "print JSON", false)
    // Doctor starts itself with this option, because a frozen disk stops the process that uses it.
    .addOption(new Option("--disk", "check only the disk").default(false).hideHelp())
    .action(async ({ url, idle, json, disk }: DoctorCommandOptions) => {
      if (url !== undefined && idle > 0)
        process.stderr.write(`doctor: the check of --url takes about ${Math.ceil(idle / 1_000) + 5} s\n`);
      // Imported here, because the other commands need neither undici nor a client of Redis.
      const { diagnose, diagnoseDisk } = await import("../doctor/doctor.ts");
      const findings = disk
        ? await diagnoseDisk(environment)
        : await diagnose({ environment, url, idleMs: idle, isolatesDisk: true });
      const text = json ? formatJson(findings) : formatText(findings, isUtf8Terminal(environment));
      const exitCode = findings.some(({ status }) => status === "failed") ? 1 : 0;
      // A frozen server may still hold a connection of a check that has exceeded its deadline.
      process.stdout.write(text, () => process.exit(exitCode));
    });
}

function countByStatus(findings: readonly Finding[]): Record<Status, number> {
  const counts: Record<Status, number> = { ok: 0, warning: 0, failed: 0, skipped: 0 };
  for (const { status } of findings) counts[status]++;
  return counts;
}

function formatJson(findings: readonly Finding[]): string {
  const counts = countByStatus(findings);
  const status = counts.failed > 0 ? "failed" : counts.warning > 0 ? "warning" : "ok";
  return escapeUnprintableJson(`${JSON.stringify({ status, counts, findings }, null, 2)}\n`);
}

function formatText(findings: readonly Finding[], usesSymbols: boolean): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(({ check, status, finding, remedy }) => {
    const mark = usesSymbols ? MARKS[status] : status.toUpperCase().padEnd(7);
    const start = `${mark} ${check.padEnd(width)}  `;
    return `${start}${finding}\n${remedy === undefined ? "" : `${" ".repeat(start.length)}Remedy: ${remedy}\n`}`;
  });
  const counts = countByStatus(findings);
  return `${lines.join("")}\n${STATUSES.map((status) => `${counts[status]} ${status}`).join(", ")}\n`;
}

/** Whether the terminal shows symbols. Pipes and files get words, which are easier to search. */
function isUtf8Terminal(environment: EnvironmentRecord): boolean {
  const locale = environment["LC_ALL"] || environment["LC_CTYPE"] || environment["LANG"] || "";
  return process.stdout.isTTY && /utf-?8/i.test(locale);
}
