// HTTP/1.1 responses as they come off the wire (RFC 9112). Own code because an HTTP library would hide what is looked for
// here: whether a response ended whole, which bytes came when, and headers that came twice.

/** Body bytes that have arrived, counted from the beginning, and when (`performance.now()`). */
interface BodyArrival {
  readonly bodyBytes: number;
  readonly atMs: number;
}

type State = "head" | "chunk-size" | "chunk-data" | "chunk-end" | "trailer" | "length" | "close" | "done";

const CRLF = Buffer.from("\r\n");
const HEAD_END = Buffer.from("\r\n\r\n");
const EMPTY = Buffer.alloc(0);

/** Decodes one response; feed it with what a socket gives. */
export class ResponseDecoder {
  /** 0 until the head has come. */
  status = 0;
  headAtMs = 0;
  /** Names in lower case, in the order of the wire. */
  headers: readonly (readonly [name: string, value: string])[] = [];
  readonly arrivals: BodyArrival[] = [];
  #state: State = "head";
  #pending: Buffer = EMPTY;
  /** Bytes still to come of the chunk or of the whole body. */
  #left = 0;
  #parts: Buffer[] = [];
  #bodyBytes = 0;

  /** The body's own framing says that it is whole. */
  get complete(): boolean {
    return this.#state === "done";
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** The body so far, chunk framing taken off. */
  get body(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] ?? EMPTY;
  }

  /** The value of a header; several are joined with a comma. */
  readHeader(name: string): string | undefined {
    const values = this.headers.filter(([one]) => one === name).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(", ");
  }

  /** @throws when the bytes are not HTTP/1.1. */
  push(bytes: Buffer, atMs: number): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    const before = this.#bodyBytes;
    while (this.#step(atMs));
    if (this.#bodyBytes > before) this.arrivals.push({ bodyBytes: this.#bodyBytes, atMs });
  }

  /** The connection has ended with a FIN: a response that has neither chunks nor a length is whole now. */
  end(): void {
    if (this.#state === "close") this.#state = "done";
  }

  /** Takes one step through the pending bytes; false when more are needed. */
  #step(atMs: number): boolean {
    switch (this.#state) {
      case "head":
        return this.#readHead(atMs);
      case "chunk-size":
        return this.#readLine((line) => {
          this.#left = Number.parseInt(line, 16);
          if (Number.isNaN(this.#left)) throw new Error(`a chunk begins with "${line.slice(0, 40)}"`);
          this.#state = this.#left === 0 ? "trailer" : "chunk-data";
        });
      case "chunk-data":
        return this.#readBody("chunk-end");
      case "chunk-end":
        return this.#readLine(() => (this.#state = "chunk-size"));
      case "trailer":
        return this.#readLine((line) => {
          if (line === "") this.#state = "done";
        });
      case "length":
        return this.#readBody("done");
      case "close":
        this.#left = this.#pending.length;
        return this.#readBody("close");
      case "done":
        break;
    }
    return false;
  }

  #readLine(use: (line: string) => void): boolean {
    const end = this.#pending.indexOf(CRLF);
    if (end < 0) return false;
    const line = this.#pending.toString("latin1", 0, end);
    this.#pending = this.#pending.subarray(end + CRLF.length);
    use(line);
    return true;
  }

  #readBody(next: State): boolean {
    const part = this.#pending.subarray(0, this.#left);
    if (part.length === 0) return false;
    this.#parts.push(part);
    this.#bodyBytes += part.length;
    this.#left -= part.length;
    this.#pending = this.#pending.subarray(part.length);
    if (this.#left === 0) this.#state = next;
    return true;
  }

  #readHead(atMs: number): boolean {
    const end = this.#pending.indexOf(HEAD_END);
    if (end < 0) return false;
    const [first = "", ...lines] = this.#pending.toString("latin1", 0, end).split("\r\n");
    this.#pending = this.#pending.subarray(end + HEAD_END.length);
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]);
    if (Number.isNaN(status)) throw new Error(`the response begins with "${first.slice(0, 40)}"`);
    // 1xx are announcements; the response follows.
    if (status < 200) return true;
    this.status = status;
    this.headAtMs = atMs;
    this.headers = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    this.#frame();
    return true;
  }

  #frame(): void {
    const length = this.readHeader("content-length");
    if (this.readHeader("transfer-encoding")?.toLowerCase() === "chunked") {
      this.#state = "chunk-size";
    } else if (length !== undefined) {
      this.#left = Number(length);
      this.#state = this.#left === 0 ? "done" : "length";
    } else {
      this.#state = this.status === 204 || this.status === 304 ? "done" : "close";
    }
  }
}
