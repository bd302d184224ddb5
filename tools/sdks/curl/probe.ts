// Probe of curl. It uses parts of HTTP that no SDK uses: HTTP/1.0, `--compressed` and `Expect: 100-continue`.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as probe from "../harness.ts";

const run = promisify(execFile);

const USUAL_OPTIONS = ["--silent", "--show-error", "--verbose", "--include", "--data-binary", "@-"].concat(
  ["--max-time", "15", "--header", `Authorization: Bearer ${probe.API_KEY}`],
  ["--header", "Content-Type: application/json"],
);

/** Posts a chat completion request. @returns head and body of the response, and curl's verbose output. */
async function post(fields: Record<string, unknown>, ...options: string[]) {
  const body = JSON.stringify({ model: probe.PLAIN, ...fields });
  const running = run("curl", [...USUAL_OPTIONS, ...options, `${probe.BASE_URL}/chat/completions`], {
    maxBuffer: 16 * 1024 * 1024,
  });
  running.child.stdin?.end(body);
  const { stdout, stderr } = await running;
  const at = stdout.lastIndexOf("\r\n\r\n") + 4;
  return { head: stdout.slice(0, at), body: stdout.slice(at), verboseOutput: stderr };
}

function messages(scenario: string): unknown[] {
  return [{ role: "user", content: probe.buildPrompt(scenario) }];
}

function readContent(json: string): unknown {
  const completion = JSON.parse(json) as { choices: { message: { content: string } }[] };
  return completion.choices[0]?.message.content;
}

function readStreamedText(body: string): string {
  assert(body.endsWith("data: [DONE]\n\n"));
  const chunks = [...body.matchAll(/^data: (\{.*\})$/gm)].map(
    ([, json = ""]) => JSON.parse(json) as { choices: { delta: { content?: string } }[] },
  );
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
}

await probe.runProbe({
  chat: async () => {
    const { head, body } = await post({ messages: messages("chat") });
    assert.match(head, /^HTTP\/1\.1 200 /);
    assert.equal(readContent(body), probe.buildReply("chat"));
  },
  stream: async () => {
    const request = { model: probe.STREAMED, messages: messages("stream"), stream: true };
    const { head, body } = await post(request, "--no-buffer");
    assert.match(head, /content-type: text\/event-stream/i);
    assert.equal(readStreamedText(body), probe.buildReply("stream"));
  },
  compressed: async () => {
    const { verboseOutput, body } = await post({ messages: messages("compressed") }, "--compressed");
    assert.match(verboseOutput, /> Accept-Encoding: .*gzip/);
    assert.equal(readContent(body), probe.buildReply("compressed"));
  },
  "http 1.0": async () => {
    const { verboseOutput, head, body } = await post({ messages: messages("http 1.0") }, "--http1.0");
    assert.match(verboseOutput, /> POST \S+ HTTP\/1\.0/);
    assert.doesNotMatch(head, /transfer-encoding/i);
    assert.equal(readContent(body), probe.buildReply("http 1.0"));
  },
  "http 1.0 stream": async () => {
    const request = { model: probe.STREAMED, messages: messages("http 1.0 stream"), stream: true };
    const { head, body } = await post(request, "--http1.0", "--no-buffer");
    assert.doesNotMatch(head, /transfer-encoding/i);
    assert.equal(readStreamedText(body), probe.buildReply("http 1.0 stream"));
  },
  "expect continue": async () => {
    const request = {
      messages: [{ role: "system", content: "x".repeat(2_000_000) }, ...messages("expect continue")],
    };
    const started = performance.now();
    const options = ["--header", "Expect: 100-continue", "--expect100-timeout", "10"];
    const { verboseOutput, head, body } = await post(request, ...options);
    // Without a 100 response, curl would send the body after 10 s.
    assert(performance.now() - started < 9_000);
    assert.match(verboseOutput, /< HTTP\/1\.1 100 Continue/);
    assert.match(head, /HTTP\/1\.1 200 /);
    assert.equal(readContent(body), probe.buildReply("expect continue"));
  },
});
