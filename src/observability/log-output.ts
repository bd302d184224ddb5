import fs from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";

/** Lines wait for each other up to this long or this many bytes, because a system call costs far more than a line. */
const FLUSH_AFTER_MS = 100;
const FLUSH_AT_BYTES = 65_536;
const WRITE_MAX_BYTES = 131_072;
/** Lines that nobody reads are dropped beyond this, so that a blocked pipe cannot fill the memory. */
const BUFFER_MAX_BYTES = 16_777_216;
/** A full pipe is tried again after this long, then after twice as long each time. */
const RETRY_MIN_MS = 1;
const RETRY_MAX_MS = 100;
/** A write that has been in progress for longer will not return: only on a file descriptor that could not be made non-blocking. */
const STUCK_MS = 200;

const STANDARD_OUTPUT = 1;
const LINE_FEED = 0x0a;

/**
 * Writes log lines to standard output and never waits for who reads it. Lines that cannot be written are dropped and
 * counted: a log must neither stop the gateway nor keep it from stopping.
 */
export class LogOutput {
  readonly #file = openNonBlockingOutput();
  readonly #onDropped: (lines: number) => void;
  #waiting: Buffer[] = [];
  /** What waits and what is left of the batch. */
  #bytes = 0;
  /** What is left of the lines that are being written. */
  #batch: Buffer | undefined = undefined;
  /** `performance.now()` of a write that has not returned; 0: there is none. */
  #writingSince = 0;
  #retryMs = RETRY_MIN_MS;
  #isFlushScheduled = false;
  /** The last byte written is not the end of a line. */
  #isMidLine = false;
  #droppedLines = 0;
  #reportedLines = 0;
  #onFlushed: (() => void)[] = [];

  /** @param onDropped called with the number of lines dropped since the last call, when lines can be written again. */
  constructor(onDropped: (lines: number) => void) {
    this.#onDropped = onDropped;
    process.on("exit", () => this.#writeAtExit());
  }

  /** Lines dropped since the start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** @param text one line, with the line feed at its end. */
  write(text: string): void {
    // As strings, all waiting lines would be joined anew at every line: 26 KB of garbage a request.
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

  /** Writes now what waits. @param done called when all of it was written or dropped. */
  flush(done: () => void): void {
    this.#onFlushed.push(done);
    this.#writeNext();
  }

  /**
   * Collects lines for a while. Where they come one by one, each would be a write in the thread pool: at one line a ms that
   * took 44 us of CPU a line more into a file and 81 us into a pipe, on a busy machine on which a whole request took 650. The
   * timer runs only while lines wait; sonic-boom's `periodicFlush` never stops, and was most of what an idle gateway took.
   * Node's own stream takes as little, but a full pipe blocks it.
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
    // The line feed that ends half a line is not a line.
    if (this.#isMidLine && batch[0] === LINE_FEED) this.#droppedLines--;
    this.#bytes -= batch.length;
    this.#batch = undefined;
    this.#continue();
  }

  #continue(): void {
    if (this.#onFlushed.length > 0 || this.#bytes >= FLUSH_AT_BYTES) this.#writeNext();
    else if (this.#bytes > 0) this.#scheduleFlush();
  }

  /** The last chance for lines, such as those of a start that failed. */
  #writeAtExit(): void {
    // The process would wait for this write before it ends, and for how long nobody knows.
    if (this.#writingSince > 0 && performance.now() - this.#writingSince > STUCK_MS)
      process.kill(process.pid, "SIGKILL");
    if (this.#batch) return;
    try {
      while (this.#waiting.length > 0)
        for (let rest = this.#takeBatch(); rest.length > 0;)
          rest = rest.subarray(fs.writeSync(this.#file, rest));
    } catch {
      // Nobody is left who could be told.
    }
  }
}

/**
 * Standard output in a mode in which a write never waits. A thread that waits in a write to a full pipe would hold up the
 * end of the process for as long as nobody reads.
 * @returns a file descriptor.
 */
function openNonBlockingOutput(): number {
  if (isatty(STANDARD_OUTPUT)) {
    try {
      // Node writes to terminals blocking; this is another description of the same one. Ctrl-S can stop its output.
      return fs.openSync(
        `/proc/self/fd/${STANDARD_OUTPUT}`,
        fs.constants.O_WRONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY,
      );
    } catch {
      return STANDARD_OUTPUT;
    }
  }
  const stat = fs.fstatSync(STANDARD_OUTPUT);
  // Node makes a pipe or a socket non-blocking when it opens its stream on it.
  if (stat.isFIFO() || stat.isSocket()) process.stdout.on("error", () => {});
  return STANDARD_OUTPUT;
}
