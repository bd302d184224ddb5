import { COMMENT_MARK_TOKENS, INDENT_TOKENS, MAX_DEPTH, NODE_TOKENS } from "./rendering-tokens.ts";
import { countLineBreaks, boundTextTokens } from "./text-size.ts";

/** Size of a rendered value. At nesting depth `d`, it takes `tokens + INDENT_TOKENS * d * lines` tokens. */
interface Size {
  readonly tokens: number;
  readonly lines: number;
}

/** Limits how much of the schemas of one request the estimate reads. Schemas that exceed the budget are unbounded. */
interface RenderBudget {
  /** Whether sizes include the bytes that Unicode normalization adds. */
  readonly isNormalized: boolean;
  /** Remaining characters of distinct pointers. */
  pointerCharacters: number;
  /** Remaining characters of strings and keys. */
  textCharacters: number;
}

/** Creates the budget of one request. Models accept far less text, and the estimate reads this much in a few milliseconds. */
export function createRenderBudget(isNormalized: boolean): RenderBudget {
  return { isNormalized, pointerCharacters: 250_000, textCharacters: 4_000_000 };
}

/**
 * Bounds the tokens of a JSON value that a provider may print in another form before the model reads it. The form may be
 * indented JSON, XML with an opening and a closing tag for each key, or TypeScript. The provider may also replace every `$ref`
 * by its definition.
 * @param value a tool, a schema, or the arguments of a tool call. @param schema the document that each `$ref` in `value`
 * refers to; undefined if `value` is not a schema, because `$ref` then has no meaning.
 * @returns the number of tokens, one for each byte of ASCII text. The number is unbounded, and the result undefined, if a
 * `$ref` is recursive or not found, the nesting exceeds 600 levels, or pointers or strings exceed the budget.
 */
export function boundRenderedTokens(
  value: unknown,
  schema?: unknown,
  budget: RenderBudget = createRenderBudget(false),
): number | undefined {
  const size = new Renderer(schema, budget).measure(value, 0);
  return size && Number.isSafeInteger(size.tokens) ? size.tokens : undefined;
}

class Renderer {
  readonly #schema: unknown;
  readonly #budget: RenderBudget;
  /** Sizes of objects and arrays. A size is undefined during its measurement, so a recursive `$ref` has an undefined size. */
  readonly #known = new Map<object, Size | undefined>();
  /** Sizes of long strings, because many pointers may refer to the same string. */
  readonly #strings = new Map<string, Size>();
  /** Values that pointers refer to. */
  readonly #targets = new Map<string, unknown>();

  constructor(schema: unknown, budget: RenderBudget) {
    this.#schema = schema;
    this.#budget = budget;
  }

  measure(value: unknown, depth: number): Size | undefined {
    if (depth > MAX_DEPTH) return undefined;
    if (typeof value === "string") return this.#stringSize(value);
    if (typeof value !== "object" || value === null) return measureScalar(value, this.#budget.isNormalized);
    if (this.#known.has(value)) return this.#known.get(value);
    this.#known.set(value, undefined);
    const size = this.#sum(value, depth + 1);
    this.#known.set(value, size);
    return size;
  }

  #sum(value: object, depth: number): Size | undefined {
    let tokens = NODE_TOKENS;
    let lines = 2;
    for (const [key, item] of Object.entries(value)) {
      if (!this.#mayRead(key)) return undefined;
      const own = this.measure(item, depth);
      const target = key === "$ref" && this.#schema !== undefined ? this.#definition(item, depth) : NOTHING;
      if (!own || !target) return undefined;
      lines += own.lines + target.lines;
      tokens += own.tokens + target.tokens + INDENT_TOKENS * (own.lines + target.lines);
      if (!Array.isArray(value)) tokens += 2 * boundTextTokens(key, this.#budget.isNormalized);
    }
    return { tokens, lines };
  }

  #stringSize(text: string): Size | undefined {
    const known = text.length > LONG_STRING ? this.#strings.get(text) : undefined;
    if (known) return known;
    if (!this.#mayRead(text)) return undefined;
    const size = measureScalar(text, this.#budget.isNormalized);
    if (text.length > LONG_STRING) this.#strings.set(text, size);
    return size;
  }

  /** Subtracts a text from the budget. @returns whether the budget was sufficient. */
  #mayRead(text: string): boolean {
    this.#budget.textCharacters -= text.length;
    return this.#budget.textCharacters >= 0;
  }

  #definition(pointer: unknown, depth: number): Size | undefined {
    // If the value is an object, `$ref` is the name of a property of the schema, not a reference.
    if (typeof pointer !== "string") return NOTHING;
    const target = this.#targets.get(pointer) ?? this.#resolve(pointer);
    return target === undefined ? undefined : this.measure(target, depth);
  }

  #resolve(pointer: string): unknown {
    this.#budget.pointerCharacters -= pointer.length;
    if (this.#budget.pointerCharacters < 0) return undefined;
    const target = resolvePointer(this.#schema, pointer);
    this.#targets.set(pointer, target);
    return target;
  }
}

const NOTHING: Size = { tokens: 0, lines: 0 };

const LONG_STRING = 256;

/** Measures a scalar. It takes two lines around its text, and the lines of the text are indented by one more level. */
function measureScalar(value: unknown, isNormalized: boolean): Size {
  const text = typeof value === "string" ? value : String(value);
  const inner = 1 + countLineBreaks(text);
  return {
    tokens: NODE_TOKENS + boundTextTokens(text, isNormalized) + inner * (INDENT_TOKENS + COMMENT_MARK_TOKENS),
    lines: 2 + inner,
  };
}

/** Resolves a JSON pointer (RFC 6901); undefined if the document has no such value. */
function resolvePointer(document: unknown, pointer: string): unknown {
  if (pointer !== "#" && !pointer.startsWith("#/")) return undefined;
  let at = document;
  for (const step of pointer.split("/").slice(1)) {
    const name = decodePointerStep(step);
    if (name === undefined || typeof at !== "object" || at === null || !Object.hasOwn(at, name))
      return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

function decodePointerStep(step: string): string | undefined {
  if (!/[%~]/.test(step)) return step;
  try {
    return decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return undefined;
  }
}
