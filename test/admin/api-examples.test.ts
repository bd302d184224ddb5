import { expect, test } from "vitest";
import { startKeyedGateway, type KeyedGateway } from "../support/keyed-gateway.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestSimulator } from "../support/simulator.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON, whose shape each test asserts
type Json = any;

interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Json[];
  readonly body: Json;
  readonly security: readonly Json[];
  readonly responses: Json;
}

/** Operations whose example cannot succeed, each with the status that the page announces. */
const EXCEPTIONS: Readonly<Record<string, number>> = {
  // The parameter's description says where to take an id that exists.
  "GET /openai/v1/generation": 404,
  // The operation's description says that a key without a budget gets 404.
  "GET /openai/v1/credits": 404,
};

/** The order in which a reader can run the operations: the keys and groups are created first and deleted last. */
const METHODS = ["POST", "GET", "PATCH", "DELETE"];

async function listOperations({ port }: KeyedGateway): Promise<Operation[]> {
  const { body } = await sendRequest(port, { method: "GET", path: "/openapi.json", body: "" });
  const { paths } = JSON.parse(body.toString());
  return Object.entries<Json>(paths)
    .flatMap(([path, item]) =>
      Object.entries<Json>(item).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        parameters: operation.parameters ?? [],
        body: operation.requestBody?.content["application/json"],
        security: operation.security,
        responses: operation.responses,
      })),
    )
    .toSorted((a, b) => METHODS.indexOf(a.method) - METHODS.indexOf(b.method));
}

/** Sends an operation with the values that the page fills in: examples, and the defaults of parameters. */
function execute(
  { port, admin, caller }: KeyedGateway,
  operation: Operation,
): ReturnType<typeof sendRequest> {
  const { method, path, parameters, body, security } = operation;
  const filled = parameters.filter(({ example, schema }) => (example ?? schema.default) !== undefined);
  const readValue = ({ example, schema }: Json): string => encodeURIComponent(example ?? schema.default);
  const url = filled
    .filter((parameter) => parameter.in === "path")
    .reduce((text, parameter) => text.replace(`{${parameter.name}}`, readValue(parameter)), path);
  const query = filled
    .filter((parameter) => parameter.in === "query")
    .map((parameter) => `${parameter.name}=${readValue(parameter)}`);
  const keys: Readonly<Record<string, string>> = { "Admin key": admin, "Caller key": caller };
  const key = security.flatMap((one) => Object.keys(one)).map((kind) => keys[kind])[0];
  return sendRequest(port, {
    method,
    path: [url, ...(query.length > 0 ? [query.join("&")] : [])].join("?"),
    headers: {
      authorization: key === undefined ? undefined : `Bearer ${key}`,
      // The browser states that the page is the gateway's.
      origin: `http://127.0.0.1:${port}`,
      "sec-fetch-site": "same-origin",
    },
    body: body ? JSON.stringify(body.example) : "",
  });
}

test("every operation succeeds with the values that the page fills in, or returns the status that the page announces", async () => {
  const gateway = await startKeyedGateway((await startTestSimulator()).baseUrl);
  const failed: unknown[] = [];
  for (const operation of await listOperations(gateway)) {
    const { status, body } = await execute(gateway, operation);
    const expected = EXCEPTIONS[operation.name];
    const isExpected =
      expected === undefined ? Object.hasOwn(operation.responses, String(status)) : status === expected;
    if (!isExpected) failed.push([operation.name, status, body.toString().slice(0, 200)]);
  }
  expect(failed).toEqual([]);
});

test("every required parameter has an example that matches its pattern, and every body has an example", async () => {
  const gateway = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const operations = await listOperations(gateway);
  expect(operations.length).toBeGreaterThan(30);
  for (const { name, parameters, body } of operations) {
    const missing = parameters.filter(({ required, example }) => required && typeof example !== "string");
    expect([name, missing]).toEqual([name, []]);
    // The page sends only values that match their patterns, and ignores the flags of regular expressions.
    for (const { example = "Bob", schema } of parameters.filter((one) => one.schema.pattern))
      expect(example).toMatch(new RegExp(schema.pattern));
    expect([name, body === undefined || typeof body.example]).toEqual([name, body === undefined || "object"]);
  }
});
