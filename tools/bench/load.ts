import { Pool, type Dispatcher } from "undici";
import { CHAT_PATH, buildChatRequest, PLAIN_RESPONSE, STREAM_RESPONSE } from "./traffic.ts";

/** Concurrent requests, each on a keep-alive connection. */
const CONCURRENCY = 32;
const SECRET = "sk-bench-0123456789abcdef0123456789abcdef";

/** The gateway key of the benchmark, in the format of `GATEWAY_API_KEYS`. */
export const GATEWAY_KEY: string = `bench:${SECRET}`;

/** One kind of request, and the response that it must get. */
export interface BenchRequest {
  readonly name: string;
  readonly streamed: boolean;
  readonly body: Buffer;
  readonly responseBytes: number;
}

export const PLAIN: BenchRequest = {
  name: "plain",
  streamed: false,
  body: buildChatRequest(false),
  responseBytes: PLAIN_RESPONSE.length,
};
export const STREAM: BenchRequest = {
  name: "stream",
  streamed: true,
  body: buildChatRequest(true),
  responseBytes: STREAM_RESPONSE.reduce((sum, event) => sum + event.length, 0),
};

/** Sends chat completion requests to one server repeatedly. */
export class Load {
  readonly #pool: Pool;
  readonly #path: string;

  /** @param url base URL, to which the path of a chat completion is added. */
  constructor(url: string) {
    const { origin, pathname } = new URL(url);
    this.#pool = new Pool(origin, { connections: CONCURRENCY, pipelining: 1, allowH2: false });
    this.#path = pathname.replace(/\/$/, "") + CHAT_PATH;
  }

  /** Makes `count` requests and reads every response to its end. @throws at the first unexpected response. */
  async run(kind: BenchRequest, count: number): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.#send(kind);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #send({ name, body, responseBytes }: BenchRequest): Promise<void> {
    const headers = { "content-type": "application/json", authorization: `Bearer ${SECRET}` };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pool.dispatch(
      { method: "POST", path: this.#path, headers, body },
      createCountingHandler((status, bytes) => {
        if (status === 200 && bytes === responseBytes) resolve();
        else reject(new Error(`${name}: status ${status} with ${bytes} bytes instead of ${responseBytes}`));
      }, reject),
    );
    return promise;
  }
}

function createCountingHandler(
  onEnd: (status: number, bytes: number) => void,
  onError: (error: Error) => void,
): Dispatcher.DispatchHandler {
  let status = 0;
  let bytes = 0;
  return {
    onRequestStart() {},
    onResponseStart(_controller, statusCode) {
      status = statusCode;
    },
    onResponseData(_controller, chunk) {
      bytes += chunk.length;
    },
    onResponseEnd() {
      onEnd(status, bytes);
    },
    onResponseError(_controller, error) {
      onError(error);
    },
  };
}
