/** Lines that Node writes because its inspector is open. */
const INSPECTOR_LINES = /^(Debugger (listening|attached|ending)|For help, see|Waiting for the debugger)/;
/** Codes of errors for which the gateway itself is responsible. */
const OWN_FAULTS = new Set(["internal_error", "store_unavailable", "shutting_down"]);
const WARN_LEVEL = 40;
const FATAL_LEVEL = 60;

/** Reads the log of a gateway, and keeps only counts. */
export class LogWatch {
  readonly #report: (difference: string) => void;
  /** Numbers of lines at level warn and above: request lines by error or outcome, other lines by message. */
  readonly counts = new Map<string, number>();
  /** The URL of the inspector; undefined until Node has printed it. */
  inspectorUrl: string | undefined;

  /** @param report called with each line that shows a fault of the gateway. */
  constructor(report: (difference: string) => void) {
    this.#report = report;
  }

  /** Reads one line. */
  readonly add = (line: string): void => {
    const url = /^Debugger listening on (ws:\S+)/.exec(line)?.[1];
    if (url !== undefined) this.inspectorUrl = url;
    if (line === "" || INSPECTOR_LINES.test(line)) return;
    const record = parseRecord(line);
    if (!record) return this.#report(`log: ${line.slice(0, 200)}`);
    const { level, msg, error = "", outcome, err } = record;
    const name = msg === "request" ? error || String(outcome) : msg;
    if (level >= WARN_LEVEL) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    // The gateway logs a stack only for an unexpected exception.
    const isFault = level >= FATAL_LEVEL || err !== undefined || OWN_FAULTS.has(error);
    return isFault ? this.#report(`log: ${line.slice(0, 400)}`) : undefined;
  };
}

interface LogRecord {
  readonly level: number;
  readonly msg: string;
  readonly error?: string;
  readonly outcome?: string;
  readonly err?: unknown;
}

function parseRecord(line: string): LogRecord | undefined {
  try {
    const record = JSON.parse(line) as LogRecord;
    return typeof record.level === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}
