// The scenarios in which Anthropic's SDK raises an error.
import assert from "node:assert/strict";
import * as sdk from "@anthropic-ai/sdk";
import * as probe from "../harness.ts";
import { connect, createRequest } from "./requests.ts";

/** The SDK's classes for errors that OpenRouter returns. */
const OTHER_ERRORS = [
  [402, sdk.PaymentRequiredError, "billing_error"],
  [403, sdk.PermissionDeniedError, "permission_error"],
  [404, sdk.NotFoundError, "not_found_error"],
  [408, sdk.RequestTimeoutError, "timeout_error"],
  [412, sdk.PreconditionFailedError, "invalid_request_error"],
  [413, sdk.ContentTooLargeError, "request_too_large"],
  [422, sdk.UnprocessableEntityError, "invalid_request_error"],
  [502, sdk.InternalServerError, "api_error"],
  [503, sdk.ServiceUnavailableError, "overloaded_error"],
  [504, sdk.GatewayTimeoutError, "timeout_error"],
  [529, sdk.OverloadedError, "overloaded_error"],
] as const;

const { messages, models } = connect();

/** The scenarios, by name. */
export const errorScenarios: probe.Scenarios = {
  "401": async () => {
    const request = connect({ apiKey: probe.WRONG_KEY }).messages.create(createRequest("401", probe.PLAIN));
    const error = await probe.expectFailure(request, sdk.AuthenticationError);
    probe.expectFields(error, { status: 401, type: "authentication_error" });
    assert.match(error.apiMessage ?? "", /key/);
  },
  "400": async () => {
    const request = messages.create({ ...createRequest("400", probe.PLAIN), max_tokens: -1 });
    const error = await probe.expectFailure(request, sdk.BadRequestError);
    probe.expectFields(error, { status: 400, type: "invalid_request_error" });
    assert.match(error.apiMessage ?? "", /max_tokens must be/);
  },
  "404": async () => {
    const error = await probe.expectFailure(models.retrieve("openai/no-such-model"), sdk.NotFoundError);
    assert.match(error.apiMessage ?? "", /model does not exist/);
  },
  "413": async () => {
    const request = createRequest("413", probe.PLAIN);
    request.messages.push({ role: "user", content: "x".repeat(probe.TOO_MANY_BYTES) });
    const error = await probe.expectFailure(messages.create(request), sdk.ContentTooLargeError);
    probe.expectFields(error, { status: 413, type: "request_too_large" });
  },
  "429": async () => {
    const request = messages.create(createRequest("429", probe.failing(429)));
    const error = await probe.expectFailure(request, sdk.RateLimitError);
    probe.expectFields(error, { status: 429, type: "rate_limit_error", apiMessage: "Rate limit exceeded" });
  },
  "500": async () => {
    const request = messages.create(createRequest("500", probe.failing(500)));
    const error = await probe.expectFailure(request, sdk.InternalServerError);
    probe.expectFields(error, { status: 500, type: "api_error", apiMessage: "Internal Server Error" });
  },
  "other errors": async () => {
    for (const [status, Class, type] of OTHER_ERRORS) {
      const request = messages.create(createRequest("other errors", probe.failing(status)));
      const error = await probe.expectFailure<sdk.APIError>(request, Class);
      assert.equal(error.constructor, Class);
      probe.expectFields(error, { status, type });
    }
  },
  "cut stream": async () => {
    const events = await messages.create({ ...createRequest("cut stream", probe.CUT), stream: true });
    const error = await probe.expectFailure(Array.fromAsync(events), sdk.APIError);
    assert.match(error.message, new RegExp(probe.WHY_CUT));
    const helper = messages.stream(createRequest("cut stream", probe.CUT));
    const same = await probe.expectFailure(helper.finalMessage(), sdk.APIError);
    assert.match(same.message, new RegExp(probe.WHY_CUT));
  },
};
