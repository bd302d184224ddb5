import { expect, test } from "vitest";
import { RESPONSES, PAGE } from "../fixtures/responses.ts";
import {
  DEADLINE_MS,
  findChangedResponses,
  cutAtRandom,
  cutIntoBytes,
  cutNowhere,
  OWN_KEYS,
  findChangedRequests,
} from "../fixtures/replay.ts";
import { REQUESTS } from "../fixtures/requests.ts";
import { sendRequest } from "../support/send-request.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { startTestGateway } from "../support/gateway.ts";

test("sends requests upstream byte for byte except for the prefixes of their models", async () => {
  expect(await findChangedRequests(REQUESTS)).toEqual([]);
});

test.each([
  ["in one write", cutNowhere],
  ["byte by byte", cutIntoBytes],
  ["in pieces of random length", cutAtRandom],
])(
  "relays every byte of responses that arrive %s",
  async (_, cut) => {
    expect(await findChangedResponses(RESPONSES, cut)).toEqual([]);
  },
  DEADLINE_MS,
);

test("relays upstream's error about a wrong key to the client that sent the key", async () => {
  const contentType = "application/json";
  const body = Buffer.from('{"error":{"message":"User not found.","code":401}}');
  const response = { name: "a wrong key", status: 401, contentType, body };
  expect(await findChangedResponses([response], cutIntoBytes, OWN_KEYS)).toEqual([]);
});

test.each([403, 502, 520])(
  "replaces a web page of status %i with a JSON error of the same status",
  async (status) => {
    const page = formatResponse(status, { "content-type": PAGE.contentType, "retry-after": "7" }, PAGE.body);
    const upstream = await startScriptedUpstream((socket) => void socket.write(page));
    const { port } = await startTestGateway(upstream.baseUrl);
    const response = await sendRequest(port);
    expect(response.status).toBe(status);
    expect(response.headers).toMatchObject({ "content-type": "application/json", "retry-after": "7" });
    expect(response.body.toString()).not.toContain("Ray ID");
    expect(JSON.parse(response.body.toString())).toEqual({
      error: {
        message: expect.any(String) as string,
        type: "upstream_error",
        param: null,
        code: "upstream_error",
      },
    });
  },
);
