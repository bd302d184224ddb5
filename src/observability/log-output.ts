import fs from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";

/** Lines are buffered for this time or up to this many bytes, because a system call costs far more than to buffer a line. */
const FLUSH_AFTER_MS = 100;
const FLUSH_AT_BYTES = 65_536;
const WRITE_MAX_BYTES = 131_072;
/** New lines are dropped while the buffer is full, so that a blocked pipe cannot fill the memory. */
const BUFFER_MAX_BYTES = 16_777_216;
/** Delay before a write to a full pipe is retried; it doubles with each retry up to the maximum. */
const RETRY_MIN_MS = 1;
const RETRY_MAX_MS = 100;
/** A write that takes longer is blocked. This happens only if the file descriptor could not be made non-blocking. */
const STUCK_MS = 200;

const STANDARD_OUTPUT = 1;
const LINE_FEED = 0x0a;

/**
 * Writes log lines to standard output without ever waiting for its reader. Lines that cannot be written are dropped and
 * counted: a blocked log must neither stall the gateway nor delay its exit.
 */
export class LogOutput {
  readonly #file = openNonBlockingOutput();
  #onDropped: (lines: number) => void = () => {};
  #waiting: Buffer[] = [];
  /** Size of the waiting lines and of the rest of the batch. */
  #bytes = 0;
  /** Lines that are being written, without the bytes that have been written. */
  #batch: Buffer | undefined = undefined;
  /** `performance.now()` at the start of the write in progress; 0 if there is none. */
  #writingSince = 0;
  #retryMs = RETRY_MIN_MS;
  #isFlushScheduled = false;
  /** Whether the output ends in the middle of a line. */
  #isMidLine = false;
  #droppedLines = 0;
  #reportedLines = 0;
  #onFlushed: (() => void)[] = [];

  constructor() {
    process.on("exit", () => this.#writeAtExit());
  }

  /** @param onDropped called when lines can be written again, with the number of lines dropped since the last call. */
  reportDropped(onDropped: (lines: number) => void): void {
    this.#onDropped = onDropped;
  }

  /** Lines dropped since the start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** @param text one line, with its line feed. */
  write(text: string): void {
    // Lines are kept as Buffers: a buffered string was joined again with every line, with 26 KB of garbage per request.
    const line = Buffer.from(text);
    if (this.#bytes + line.length > BUFFER_MAX_BYTES) {
      this.#droppedLines++;
      return;
    }
    this.#waiting.push(line);
    this.#bytes += line.length;
    if (this.#bytes >= FLUSH_AT_BYTES) this.#writeNext();
    else this.#scheduleFlush();
  }

  /** Writes all waiting lines now. @param done called when all of them have been written or dropped. */
  flush(done: () => void): void {
    this.#onFlushed.push(done);
    this.#writeNext();
  }

  /**
   * Collects lines before they are written together. Without this delay, each line is one write in the thread pool. At one
   * line per ms, such a write took 44 us more CPU time per line for a file, and 81 us more for a pipe. The machine was busy,
   * and a whole request took 650 us. The timer runs only while lines wait. In contrast, the timer of sonic-boom's
   * `periodicFlush` never stops, and it used most of the CPU time of an idle gateway. `process.stdout` uses as little CPU
   * time as this class, but blocks on a full pipe.
   */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setTimeout(() => {
      this.#isFlushScheduled = false;
      this.#writeNext();
    }, FLUSH_AFTER_MS).unref();
  }

  #writeNext(): void {
    if (this.#batch) return;
    if (this.#waiting.length === 0) {
      for (const done of this.#onFlushed.splice(0)) done();
      return;
    }
    this.#batch = this.#takeBatch();
    this.#writeBatch(this.#batch);
  }

  #takeBatch(): Buffer {
    let count = 0;
    for (let bytes = 0; count < this.#waiting.length && bytes < WRITE_MAX_BYTES; count++)
      bytes += this.#waiting[count]?.length ?? 0;
    const lines = this.#waiting.splice(0, count);
    if (!this.#isMidLine) return Buffer.concat(lines);
    this.#bytes++;
    return Buffer.concat([Buffer.from("\n"), ...lines]);
  }

  #writeBatch(batch: Buffer): void {
    this.#writingSince = performance.now();
    fs.write(this.#file, batch, (error, written) => {
      this.#writingSince = 0;
      if (error) this.#handleError(batch, error);
      else this.#handleWritten(batch, written);
    });
  }

  #handleWritten(batch: Buffer, written: number): void {
    this.#retryMs = RETRY_MIN_MS;
    this.#bytes -= written;
    if (written > 0) this.#isMidLine = batch[written - 1] !== LINE_FEED;
    const rest = batch.subarray(written);
    this.#batch = rest.length > 0 ? rest : undefined;
    if (this.#batch) {
      this.#writeBatch(this.#batch);
      return;
    }
    const unreported = this.#droppedLines - this.#reportedLines;
    if (unreported > 0 && this.#bytes < BUFFER_MAX_BYTES / 2) {
      this.#reportedLines = this.#droppedLines;
      this.#onDropped(unreported);
    }
    this.#continue();
  }

  #handleError(batch: Buffer, { code }: NodeJS.ErrnoException): void {
    if (code === "EAGAIN" || code === "EBUSY") {
      setTimeout(() => this.#writeBatch(batch), this.#retryMs).unref();
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
      return;
    }
    for (const byte of batch) if (byte === LINE_FEED) this.#droppedLines++;
    // The batch begins with the line feed that ends a partial line, which is not a line of its own.
    if (this.#isMidLine && batch[0] === LINE_FEED) this.#droppedLines--;
    this.#bytes -= batch.length;
    this.#batch = undefined;
    this.#continue();
  }

  #continue(): void {
    if (this.#onFlushed.length > 0 || this.#bytes >= FLUSH_AT_BYTES) this.#writeNext();
    else if (this.#bytes > 0) this.#scheduleFlush();
  }

  /** Writes waiting lines synchronously when the process exits, for example after a failed start. */
  #writeAtExit(): void {
    // Otherwise the process would wait for this write, without any limit, before it exits.
    if (this.#writingSince > 0 && performance.now() - this.#writingSince > STUCK_MS)
      process.kill(process.pid, "SIGKILL");
    if (this.#batch) return;
    try {
      while (this.#waiting.length > 0)
        for (let rest = this.#takeBatch(); rest.length > 0;)
          rest = rest.subarray(fs.writeSync(this.#file, rest));
    } catch {
      // The process is exiting: no output is left to report the error to.
    }
  }
}

/**
 * Opens standard output in non-blocking mode. A thread that blocks in a write to a full pipe would delay the exit of the
 * process until the pipe is read.
 * @returns a file descriptor.
 */
function openNonBlockingOutput(): number {
  if (isatty(STANDARD_OUTPUT)) {
    try {
      // Node writes to terminals in blocking mode, and Ctrl-S can stop their output. Opening the terminal again gives a new
      // open file description, whose mode is independent of Node's.
      return fs.openSync(
        `/proc/self/fd/${STANDARD_OUTPUT}`,
        fs.constants.O_WRONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY,
      );
    } catch {
      return STANDARD_OUTPUT;
    }
  }
  const stat = fs.fstatSync(STANDARD_OUTPUT);
  // Node sets a pipe or socket to non-blocking mode when `process.stdout` is first read.
  if (stat.isFIFO() || stat.isSocket()) process.stdout.on("error", () => {});
  return STANDARD_OUTPUT;
}
