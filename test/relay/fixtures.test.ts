import { expect, test } from "vitest";
import { ANSWERS, PAGE } from "../fixtures/answers.ts";
import {
  answersChanged,
  atRandom,
  byteByByte,
  inOneWrite,
  OWN_KEYS,
  requestsChanged,
} from "../fixtures/replay.ts";
import { REQUESTS } from "../fixtures/requests.ts";
import { ask } from "../support/ask.ts";
import { responseBytes, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTestGateway } from "../support/gateway.ts";

test("requests reach upstream bit for bit but for the prefix of their models", async () => {
  expect(await requestsChanged(REQUESTS)).toEqual([]);
});

test.each([
  ["in one write", inOneWrite],
  ["byte by byte", byteByByte],
  ["in pieces that end anywhere", atRandom],
])("answers that come %s reach the caller bit for bit", async (_, writing) => {
  expect(await answersChanged(ANSWERS, writing)).toEqual([]);
});

test("what upstream says of a wrong key reaches the caller whose key it is", async () => {
  const contentType = "application/json";
  const body = Buffer.from('{"error":{"message":"User not found.","code":401}}');
  const answer = { name: "a wrong key", status: 401, contentType, body };
  expect(await answersChanged([answer], byteByByte, OWN_KEYS)).toEqual([]);
});

test.each([403, 502, 520])(
  "a web page of status %i becomes an error of that status that API clients can read",
  async (status) => {
    const page = responseBytes(status, { "content-type": PAGE.contentType, "retry-after": "7" }, PAGE.body);
    const upstream = await startScriptedUpstream((socket) => void socket.write(page));
    const { port } = await startTestGateway(upstream.baseUrl);
    const answer = await ask(port);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({ "content-type": "application/json", "retry-after": "7" });
    expect(answer.body.toString()).not.toContain("Ray ID");
    expect(JSON.parse(answer.body.toString())).toEqual({
      error: {
        message: expect.any(String) as string,
        type: "upstream_error",
        param: null,
        code: "upstream_error",
      },
    });
  },
);
