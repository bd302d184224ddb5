import { escapingBytes } from "./text-size.ts";

/** Indentation of one level of nesting, in tokens: a tokenizer may make one of each blank. */
const INDENT = 4;
/** Punctuation, tags and type names around a value. */
const NODE = 16;
/** A line of a description becomes a line of its own, behind a comment mark. */
const COMMENT_MARK = 4;
/** Deeper values are refused a bound instead of overflowing the stack. */
const MAX_DEPTH = 600;

/** The size of a rendered value: at nesting depth `d` it takes `tokens + INDENT * d * lines`. */
interface Size {
  readonly tokens: number;
  readonly lines: number;
}

/**
 * Bounds the tokens of a JSON value that a provider may print again before it reaches the model: indented by depth, as
 * XML with each key in an opening and a closing tag, or as TypeScript, with every `$ref` replaced by its definition.
 * @param value a tool, a schema, or the arguments of a call. @param schema the document that each `$ref` in `value` points
 * into; undefined when `value` is no schema, so that a `$ref` in it means nothing.
 * @returns tokens of ASCII text, 1 for a byte; undefined when nothing bounds them: a `$ref` that is recursive or not
 * found, or nesting beyond 600 levels.
 */
export function renderedTokens(value: unknown, schema?: unknown): number | undefined {
  const size = new Renderer(schema).size(value, 0);
  return size && Number.isSafeInteger(size.tokens) ? size.tokens : undefined;
}

class Renderer {
  readonly #schema: unknown;
  /** Sizes of objects and arrays; undefined while one is measured, which shows a recursive `$ref`. */
  readonly #known = new Map<object, Size | undefined>();

  constructor(schema: unknown) {
    this.#schema = schema;
  }

  size(value: unknown, depth: number): Size | undefined {
    if (depth > MAX_DEPTH) return undefined;
    if (typeof value !== "object" || value === null) return scalarSize(value);
    if (this.#known.has(value)) return this.#known.get(value);
    this.#known.set(value, undefined);
    const size = this.#sum(value, depth + 1);
    this.#known.set(value, size);
    return size;
  }

  #sum(value: object, depth: number): Size | undefined {
    let tokens = NODE;
    let lines = 2;
    for (const [key, item] of Object.entries(value)) {
      const own = this.size(item, depth);
      const target = key === "$ref" && this.#schema !== undefined ? this.#definition(item, depth) : NOTHING;
      if (!own || !target) return undefined;
      lines += own.lines + target.lines;
      tokens += own.tokens + target.tokens + INDENT * (own.lines + target.lines);
      if (!Array.isArray(value)) tokens += 2 * textTokens(key);
    }
    return { tokens, lines };
  }

  #definition(pointer: unknown, depth: number): Size | undefined {
    // A property may have the name `$ref`.
    if (typeof pointer !== "string") return NOTHING;
    const target = resolvePointer(this.#schema, pointer);
    return target === undefined ? undefined : this.size(target, depth);
  }
}

const NOTHING: Size = { tokens: 0, lines: 0 };

/** A value may have lines of its own, one level deeper than the two around it. */
function scalarSize(value: unknown): Size {
  const text = typeof value === "string" ? value : String(value);
  const inner = text.split(/\r\n|[\n\r\u2028\u2029]/).length;
  return { tokens: NODE + textTokens(text) + inner * (INDENT + COMMENT_MARK), lines: 2 + inner };
}

/** Bytes of a text as JSON, and what escaping it for XML or HTML adds. */
function textTokens(text: string): number {
  const json = Buffer.from(JSON.stringify(text));
  return json.length + escapingBytes(json);
}

/** @see RFC 6901; undefined when nothing is there. */
function resolvePointer(document: unknown, pointer: string): unknown {
  if (pointer !== "#" && !pointer.startsWith("#/")) return undefined;
  let at = document;
  for (const step of pointer.split("/").slice(1)) {
    const name = decodeStep(step);
    if (name === undefined || typeof at !== "object" || at === null || !Object.hasOwn(at, name))
      return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

function decodeStep(step: string): string | undefined {
  try {
    return decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return undefined;
  }
}
