import { expect, test } from "vitest";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { sendRequest } from "../support/send-request.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON, whose shape each test asserts
type Json = any;

/** A property of a schema or a parameter, with its place in the description of the API. */
interface Field {
  readonly place: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly schema: Json;
}

/** Names of fields, each with the unit that their descriptions state. */
const UNITS: readonly (readonly [name: RegExp, description: RegExp])[] = [
  [/_usd$/, /\bUS dollars\b/],
  [/nanodollars$/, /\bnanodollars\b|\b1e-9 US dollars\b/],
  [/_ms$/, /\bms\b|\bmilliseconds?\b/],
  [/(?:^|_)bytes(?:_|$)/, /\bbytes\b/i],
  [/_tokens$/, /\btokens?\b/i],
  [/(?:^|_)(?:at|until)$|^(?:from|to)$/, /\bISO 8601\b/],
];

async function readFields(): Promise<Field[]> {
  const { port } = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const response = await sendRequest(port, { method: "GET", path: "/openapi.json", body: "" });
  return [...listFields(JSON.parse(response.body.toString()))];
}

/** Yields every parameter, and every property of every schema, at any depth. */
function* listFields(document: Json): Generator<Field> {
  for (const [path, item] of Object.entries<Json>(document.paths))
    for (const [method, operation] of Object.entries<Json>(item)) {
      const place = `${method.toUpperCase()} ${path}`;
      for (const { name, description, schema } of operation.parameters ?? [])
        yield { place: `${place} ?${name}`, name, description, schema };
      yield* listContent(operation.requestBody, `${place} body`);
      for (const [status, response] of Object.entries<Json>(operation.responses))
        yield* listContent(response, `${place} ${status}`);
    }
}

function* listContent(message: Json, place: string): Generator<Field> {
  for (const { schema } of Object.values<Json>(message?.content ?? {})) yield* listProperties(schema, place);
}

function* listProperties(schema: Json, place: string): Generator<Field> {
  if (typeof schema !== "object" || schema === null) return;
  for (const [name, property] of Object.entries<Json>(schema.properties ?? {})) {
    yield { place: `${place} .${name}`, name, description: property.description, schema: property };
    yield* listProperties(property, `${place} .${name}`);
  }
  for (const inner of [schema.items, schema.additionalProperties]) yield* listProperties(inner, `${place}[]`);
  for (const name of ["anyOf", "oneOf", "allOf"])
    for (const inner of schema[name] ?? []) yield* listProperties(inner, place);
}

/** Yields the schema itself and its alternatives. */
function* listAlternatives(schema: Json): Generator<Json> {
  yield schema;
  for (const name of ["anyOf", "oneOf", "allOf"])
    for (const inner of schema[name] ?? []) yield* listAlternatives(inner);
}

test("the API description describes every parameter, and every property of every request and response", async () => {
  const fields = await readFields();
  expect(fields.length).toBeGreaterThan(300);
  expect(
    fields
      .filter(({ description }) => !description?.trim())
      .map(({ place }) => place)
      .join("\n"),
  ).toBe("");
});

test("the API description states the type of every parameter and property", async () => {
  const isTyped = ({ schema }: Field): boolean =>
    [...listAlternatives(schema)].some((one) => one.type !== undefined || one.const !== undefined);
  const untyped = (await readFields()).filter((field) => !isTyped(field));
  expect(untyped.map(({ place }) => place).join("\n")).toBe("");
});

test("the API description states the unit of every amount of money, time, size and number of tokens", async () => {
  const fields = await readFields();
  for (const [name, unit] of UNITS) {
    const found = fields.filter((field) => name.test(field.name));
    expect(found.length).toBeGreaterThan(0);
    const without = found.filter(({ description }) => !unit.test(description ?? ""));
    expect(without.map(({ place, description }) => `${place}: ${description}`)).toEqual([]);
  }
});
