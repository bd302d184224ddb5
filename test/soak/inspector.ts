import { waitFor } from "../support/wait.ts";

const DEADLINE_MS = 20_000;

/** Memory usage of a process, in bytes. */
export interface Memory {
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly rss: number;
}

/** The inspector of a Node process started with `--inspect`. It can read the heap without extra code in the gateway. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, (message: InspectorMessage) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data)) as InspectorMessage;
      if (message.id === undefined) return;
      this.#pending.get(message.id)?.(message);
      this.#pending.delete(message.id);
    });
  }

  /** @param url as printed by Node: `ws://127.0.0.1:…`. */
  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url);
    const open = new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`no inspector at ${url}`)));
    });
    await waitFor(open, "the inspector", DEADLINE_MS);
    return new Inspector(socket);
  }

  /** Collects all garbage. @returns the remaining memory usage. */
  async memoryAfterCollection(): Promise<Memory> {
    await this.#call("HeapProfiler.collectGarbage");
    return (await this.evaluate("process.memoryUsage()")) as Memory;
  }

  /** Evaluates an expression in the process. @returns its value, which must be JSON. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.#call("Runtime.evaluate", {
      expression: `JSON.stringify(${expression})`,
      returnByValue: true,
    });
    return JSON.parse(String(result?.result?.value)) as unknown;
  }

  /** Disconnects, because a process does not exit while its inspector is connected. */
  close(): void {
    this.#socket.close();
  }

  #call(method: string, params: Record<string, unknown> = {}): Promise<InspectorMessage> {
    const id = ++this.#last;
    const response = new Promise<InspectorMessage>((resolve) => this.#pending.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    return waitFor(response, method, DEADLINE_MS);
  }
}

interface InspectorMessage {
  readonly id?: number;
  readonly result?: { readonly result?: { readonly value?: unknown } };
}
