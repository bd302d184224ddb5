// Decodes HTTP/1.1 responses (RFC 9112). HTTP libraries hide facts that the checks need: whether a response is complete, when
// each byte arrived, and whether a header is repeated.

/** The number of body bytes that had arrived at a time (`performance.now()`). */
interface BodyArrival {
  readonly bodyBytes: number;
  readonly atMs: number;
}

type State = "head" | "chunk-size" | "chunk-data" | "chunk-end" | "trailer" | "length" | "close" | "done";

const CRLF = Buffer.from("\r\n");
const HEAD_END = Buffer.from("\r\n\r\n");
const EMPTY = Buffer.alloc(0);

/** Decodes one response from the bytes of a socket. */
export class ResponseDecoder {
  /** 0 until the head has arrived. */
  status = 0;
  headAtMs = 0;
  /** Names in lower case, in the order of arrival. */
  headers: readonly (readonly [name: string, value: string])[] = [];
  readonly arrivals: BodyArrival[] = [];
  #state: State = "head";
  #pending: Buffer = EMPTY;
  /** Remaining bytes of the chunk, or of the whole body. */
  #left = 0;
  #parts: Buffer[] = [];
  #bodyBytes = 0;

  /** Whether the body is complete according to its framing. */
  get complete(): boolean {
    return this.#state === "done";
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** The body so far, without chunk framing. */
  get body(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] ?? EMPTY;
  }

  /** Returns the value of a header. The values of a repeated header are joined with commas. */
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

  /** Handles a FIN, which completes a response that has neither chunks nor a Content-Length. */
  end(): void {
    if (this.#state === "close") this.#state = "done";
  }

  /** Decodes the next element of the pending bytes. @returns false if more bytes are needed. */
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
    // A 1xx response is informational; the final response follows.
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
