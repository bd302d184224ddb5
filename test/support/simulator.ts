import { type Socket, connect } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { onTestFinished } from "vitest";
import { type Simulator, type SimulatorOptions, startSimulator } from "../../tools/simulator/simulator.ts";
import { waitFor } from "./wait.ts";

/** Starts a simulator on a free port. It stops when the test ends. */
export async function startTestSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ generationDelayMs: 0, ...options });
  onTestFinished(() => simulator.close());
  return simulator;
}

const HELLO = [{ role: "user", content: "Grüße, 世界 🎉" }];
export const API_HEADERS = { authorization: "Bearer sk-or-v1-test", "content-type": "application/json" };

/** Sends a chat request. `fields` add to the default fields or replace them. */
export function sendChat(simulator: Simulator, fields: object, init: RequestInit = {}): Promise<Response> {
  const body = JSON.stringify({ model: "openai/gpt-4o-mini", messages: HELLO, ...fields });
  return waitFor(
    fetch(`${simulator.baseUrl}/chat/completions`, { method: "POST", headers: API_HEADERS, body, ...init }),
    "chat",
  );
}

/** Sends a GET request to the API. @returns the status and the JSON. */
export async function getJson(
  simulator: Simulator,
  path: string,
): Promise<{ status: number; json: unknown }> {
  const response = await waitFor(fetch(simulator.baseUrl + path, { headers: API_HEADERS }), path);
  return { status: response.status, json: await response.json() };
}

/** Returns the status and the body of an error response. */
export async function readError(response: Response): Promise<{ status: number; body: ErrorBody }> {
  return { status: response.status, body: (await response.json()) as ErrorBody };
}

interface ErrorBody {
  readonly error: { readonly message: string; readonly code: number; readonly metadata?: object };
  readonly user_id?: string;
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cost: number;
}

interface Message {
  readonly content: string | null;
  readonly reasoning?: string | null;
  readonly tool_calls?: { id?: string; function: { name?: string; arguments: string } }[];
}

/** The fields of a chunk that tests read. */
interface Chunk {
  readonly id: string;
  readonly choices: { readonly delta: Message; readonly finish_reason: string | null }[];
  readonly usage?: Usage;
  readonly error?: { readonly code: number };
  readonly debug?: { readonly echo_upstream_body: object };
}

/** The fields of a plain response that tests read. */
interface Completion {
  readonly id: string;
  readonly model: string;
  readonly choices: { readonly message: Message; readonly finish_reason: string }[];
  readonly usage: Usage;
}

/** Sends a chat request. @returns the plain response. */
export async function completeChat(simulator: Simulator, fields: object): Promise<Completion> {
  const response = await sendChat(simulator, fields);
  return (await waitFor(response.json(), "completion")) as Completion;
}

/** Sends a streaming chat request. @returns the complete stream as text. */
export async function streamChat(simulator: Simulator, fields: object): Promise<string> {
  const response = await sendChat(simulator, { stream: true, ...fields });
  return waitFor(response.text(), "stream");
}

/** Parses the `data:` events of a stream, except `[DONE]`. */
export function parseEvents(text: string): Chunk[] {
  const lines = text.split("\n").filter((line) => line.startsWith("data: {"));
  return lines.map((line) => JSON.parse(line.slice(6)) as Chunk);
}

/** A response as a plain socket received it. */
interface SocketResponse {
  readonly bytes: Buffer;
  readonly text: string;
  /** Chunks that the socket has read, in order. */
  readonly reads: readonly Buffer[];
  /** "end" after a FIN, "ECONNRESET" after a reset, "open" if `isEnough` ended the reading. */
  readonly ending: string;
}

/** Sends one chat request over a plain socket. Reads until the connection ends or `isEnough` returns true. */
export function sendRawChat(
  simulator: Simulator,
  fields: object,
  isEnough: (text: string) => boolean = () => false,
): Promise<SocketResponse> {
  const body = JSON.stringify({ model: "openai/gpt-4o-mini", messages: HELLO, ...fields });
  const head = `POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return sendRaw(simulator, head + body, isEnough);
}

/** Sends any bytes over a plain socket, and reads as `sendRawChat` does. */
export function sendRaw(
  simulator: Simulator,
  bytes: string,
  isEnough: (text: string) => boolean,
): Promise<SocketResponse> {
  const socket: Socket = connect(Number(new URL(simulator.origin).port), "127.0.0.1");
  const reads: Buffer[] = [];
  const decoder = new StringDecoder();
  let received = "";
  const response = new Promise<SocketResponse>((resolve) => {
    const finish = (ending: string): void => {
      socket.destroy();
      const all = Buffer.concat(reads);
      resolve({ bytes: all, text: all.toString(), reads, ending });
    };
    socket.on("data", (chunk: Buffer) => {
      reads.push(Buffer.from(chunk));
      // A response may arrive in thousands of reads, so each is decoded once.
      received += decoder.write(chunk);
      if (isEnough(received)) finish("open");
    });
    socket.on("end", () => finish("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => finish(String(error.code)));
    socket.write(bytes);
  });
  return waitFor(response, "raw response");
}
