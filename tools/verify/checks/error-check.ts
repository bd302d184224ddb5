import type { Bench } from "../bench.ts";
import type { Call, Outgoing } from "../call.ts";
import { type Check, judged, type Outcome } from "../check.ts";
import { answerJson, PLAIN_ANSWER, type Responder } from "../upstream-answers.ts";

interface ErrorBody {
  readonly error?: {
    readonly message?: unknown;
    readonly type?: unknown;
    readonly code?: unknown;
  };
}

/** What is wrong with an answer as an error that OpenAI's SDKs can read; empty if nothing is. */
function faults({ answer }: Call, status: number): string[] {
  const said: string[] = [];
  const type = answer.header("content-type") ?? "(absent)";
  if (answer.status !== status) said.push(`status ${answer.status}`);
  if (!/^application\/json\b/.test(type)) said.push(`content-type: ${type}`);
  if (!answer.header("x-request-id")) said.push("no x-request-id");
  let body: ErrorBody | null = null;
  try {
    body = JSON.parse(answer.body.toString()) as ErrorBody | null;
  } catch {
    said.push("a body that is not JSON");
  }
  const error = body?.error;
  for (const name of ["message", "type", "code"] as const) {
    const value = error?.[name];
    if (typeof value !== "string" || value === "")
      said.push(`error.${name} is ${JSON.stringify(value) ?? "absent"}`);
  }
  return said;
}

/** Waits for the answer and judges it as an error of this status that OpenAI's SDKs turn into the right class. */
async function judgeError(bench: Bench, call: Call, status: number): Promise<Outcome> {
  await bench.whole(call);
  const said = faults(call, status);
  const body = call.answer.body.toString("utf8", 0, 200);
  return judged(
    said.length === 0,
    said.length === 0 ? body : `${said.join(", ")}; the body is ${JSON.stringify(body)}`,
  );
}

/** An error that SDKs can read, and how it comes about. */
export interface ErrorCase {
  /** The id, with its group. */
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly status: number;
  readonly ask: (messages: string) => Outgoing;
  /** A plain answer if absent: what has to be refused here would be served. */
  readonly upstream?: Responder;
}

/** A small chat completion. */
export function chatBody(messages: string): string {
  return `{"model":"openai/gpt-4o-mini","messages":${messages}}`;
}

/** A check that the gateway gives such an error. */
export function errorCheck({
  id,
  title,
  why,
  status,
  ask,
  upstream = answerJson([PLAIN_ANSWER]),
}: ErrorCase): Check {
  return {
    id,
    title,
    why,
    expected: `status ${status}, application/json, x-request-id, and error.message, .type and .code as text`,
    run: async (bench) => {
      bench.upstream(upstream);
      return judgeError(bench, bench.send(ask(bench.messages)), status);
    },
  };
}
