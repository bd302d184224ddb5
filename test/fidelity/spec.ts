import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { createRandom } from "../support/random.ts";

/** The part of JSON Schema that OpenRouter's specification of a chat completion uses. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
  readonly example?: unknown;
}

const SPEC = process.env["OPENROUTER_SPEC"] ?? "../shared/specs/openrouter-openapi.yaml";

const TEXTS = [
  "",
  "a",
  "Hello, world",
  "naïve 😀",
  'quote " and \\ slash',
  "line\nbreak",
  "\u2028",
  "https://example.com/a.png",
  "{}",
];

interface RequestContent {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly paths: Readonly<
    Record<
      string,
      {
        readonly post: {
          readonly requestBody: { readonly content: Readonly<Record<string, RequestContent>> };
        };
      }
    >
  >;
}

/** OpenRouter's OpenAPI specification, read from `OPENROUTER_SPEC`. */
export class Spec {
  readonly #document = parse(readFileSync(SPEC, "utf8")) as Document;

  /** Returns a schema by name, with references resolved. */
  findSchema(name: string): Schema {
    return this.resolve({ $ref: `#/components/schemas/${name}` });
  }

  /** Returns the schema of the JSON body of `POST path`, with references resolved. */
  findRequestSchema(path: string): Schema {
    return this.resolve(this.#findRequest(path).schema);
  }

  /** Returns the examples of the JSON body of `POST path`. */
  findRequestExamples(path: string): unknown[] {
    const { schema, example, examples = {} } = this.#findRequest(path);
    const all = [example, this.resolve(schema).example, ...Object.values(examples).map(({ value }) => value)];
    return all.filter((given) => given !== undefined);
  }

  #findRequest(path: string): RequestContent {
    const content = this.#document.paths[path]?.post.requestBody.content["application/json"];
    if (content === undefined) throw new Error(`the specification has no request for ${path}`);
    return content;
  }

  resolve(schema: Schema): Schema {
    const name = schema.$ref?.split("/").at(-1);
    if (name === undefined) return schema;
    const target = this.#document.components.schemas[name];
    if (target === undefined) throw new Error(`the specification has no schema ${name}`);
    return this.resolve(target);
  }
}

/** Generates values that match a schema, from a seed. */
export class ValueGenerator {
  readonly #spec: Spec;
  readonly #random: () => number;

  constructor(spec: Spec, seed: number) {
    this.#spec = spec;
    this.#random = createRandom(seed);
  }

  /** Generates a matching value. @param depth the number of nested levels that may have optional parts. */
  generate(reference: Schema, depth = 6): unknown {
    const schema = this.#spec.resolve(reference);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return this.pick(schema.enum);
    const alternatives = schema.oneOf ?? schema.anyOf;
    if (alternatives) return this.generate(this.pick(alternatives), depth);
    if (schema.allOf) return this.#all(schema.allOf, depth);
    const type =
      typeof schema.type === "string"
        ? schema.type
        : this.pick(schema.type ?? [schema.properties ? "object" : "any"]);
    return this.#ofType(type, schema, depth);
  }

  /** Generates a value for `allOf`: an object with the properties of all parts. Other types match only the first part. */
  #all(parts: readonly Schema[], depth: number): unknown {
    const values = parts.map((part) => this.generate(part, depth));
    return typeof values[0] === "object" && values[0] !== null ? Object.assign({}, ...values) : values[0];
  }

  #ofType(type: string, schema: Schema, depth: number): unknown {
    switch (type) {
      case "null":
        return null;
      case "boolean":
        return this.#random() < 0.5;
      case "integer":
        return Math.round(this.#number(schema));
      case "number":
        return this.#number(schema);
      case "string":
        return this.#text(schema);
      case "array":
        return this.#array(schema, depth);
      case "object":
        return this.generateObject(schema, depth);
      default:
        return this.pick([1, "any", null, { any: [true] }]);
    }
  }

  /** Generates an object with its required properties and a random selection of the optional ones. */
  generateObject(schema: Schema, depth: number, likelihood = 0.35): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const isRequired = schema.required?.includes(name) ?? false;
      if (isRequired || (depth > 0 && this.#random() < likelihood))
        made[name] = this.generate(property, depth - 1);
    }
    const more = schema.additionalProperties;
    if (typeof more === "object" && depth > 0) made["extra key"] = this.generate(more, depth - 1);
    return made;
  }

  pick<T>(options: readonly T[]): T {
    return options[Math.floor(this.#random() * options.length)] as T;
  }

  #number({ minimum, maximum, description = "" }: Schema): number {
    // Some ranges are stated only in descriptions: "Sampling temperature (0-2)", "(-2.0 to 2.0)".
    const range = /\((-?\d+(?:\.\d+)?)(?: to |-)(\d+(?:\.\d+)?)\)/.exec(description);
    const low = minimum ?? Number(range?.[1] ?? 0);
    const high = maximum ?? Number(range?.[2] ?? Math.max(low, 1));
    return Math.max(low, Math.round((low + this.#random() * (high - low)) * 100) / 100) || Math.min(1, high);
  }

  #text({ minLength = 0, maxLength = Infinity }: Schema): string {
    return this.pick(TEXTS).padEnd(minLength, "x").slice(0, maxLength);
  }

  #array({ items = {}, minItems = 0, maxItems = 3 }: Schema, depth: number): unknown[] {
    const length =
      depth > 0 ? Math.max(minItems, Math.floor(this.#random() * (Math.min(maxItems, 3) + 1))) : minItems;
    return Array.from({ length }, () => this.generate(items, depth - 1));
  }
}
