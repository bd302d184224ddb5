// The events that end an aborted stream of the Responses API.
import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { RESPONSES_ERRORS } from "../../src/http/error-format.ts";

const MESSAGE = "OpenRouter closed the connection.";

test("An aborted stream states its reason first for OpenAI's SDKs, and then for Codex", () => {
  const text = RESPONSES_ERRORS.formatEvents(new GatewayError("upstream_disconnected", MESSAGE), "request-1");
  const lines = text.split("\n");
  expect(lines.filter((line) => line.startsWith("event:"))).toEqual([
    "event: error",
    "event: response.failed",
  ]);
  const [error, failed] = lines
    .filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice("data: ".length)) as unknown);
  const reason = { code: "upstream_disconnected", message: MESSAGE, param: null };
  expect(error).toEqual({
    type: "error",
    sequence_number: 0,
    ...reason,
    error: { type: "upstream_error", ...reason },
  });
  expect(failed).toMatchObject({
    type: "response.failed",
    response: { status: "failed", error: { code: "server_error", message: MESSAGE } },
  });
});
