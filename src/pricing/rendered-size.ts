import { COMMENT_MARK_TOKENS, INDENT_TOKENS, MAX_DEPTH, NODE_TOKENS } from "./rendering-tokens.ts";
import { countLineBreaks, boundTextTokens } from "./text-size.ts";

/** The size of a rendered value: at nesting depth `d` it takes `tokens + INDENT * d * lines`. */
interface Size {
  readonly tokens: number;
  readonly lines: number;
}

/** How much the schemas of one request may make the estimate read: beyond it they have no bound. */
interface RenderBudget {
  /** Characters of different pointers. */
  pointerCharacters: number;
  /** Characters of texts and keys. */
  textCharacters: number;
}

/** The budget of one request: far more than models read of tools, and a few milliseconds of work. */
export function createRenderBudget(): RenderBudget {
  return { pointerCharacters: 250_000, textCharacters: 4_000_000 };
}

/**
 * Bounds the tokens of a JSON value that a provider may print again before it reaches the model: indented by depth, as
 * XML with each key in an opening and a closing tag, or as TypeScript, with every `$ref` replaced by its definition.
 * @param value a tool, a schema, or the arguments of a call. @param schema the document that each `$ref` in `value` points
 * into; undefined when `value` is no schema, so that a `$ref` in it means nothing.
 * @returns tokens of ASCII text, 1 for a byte; undefined when nothing bounds them: a `$ref` that is recursive or not
 * found, nesting beyond 600 levels, or more pointers and texts than the budget has characters.
 */
export function boundRenderedTokens(
  value: unknown,
  schema?: unknown,
  budget: RenderBudget = createRenderBudget(),
): number | undefined {
  const size = new Renderer(schema, budget).measure(value, 0);
  return size && Number.isSafeInteger(size.tokens) ? size.tokens : undefined;
}

class Renderer {
  readonly #schema: unknown;
  readonly #budget: RenderBudget;
  /** Sizes of objects and arrays; undefined while one is measured, which shows a recursive `$ref`. */
  readonly #known = new Map<object, Size | undefined>();
  /** Sizes of long strings: many pointers may lead to the same one. */
  readonly #strings = new Map<string, Size>();
  /** What pointers lead to. */
  readonly #targets = new Map<string, unknown>();

  constructor(schema: unknown, budget: RenderBudget) {
    this.#schema = schema;
    this.#budget = budget;
  }

  measure(value: unknown, depth: number): Size | undefined {
    if (depth > MAX_DEPTH) return undefined;
    if (typeof value === "string") return this.#stringSize(value);
    if (typeof value !== "object" || value === null) return measureScalar(value);
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
      if (!Array.isArray(value)) tokens += 2 * boundTextTokens(key);
    }
    return { tokens, lines };
  }

  #stringSize(text: string): Size | undefined {
    const known = text.length > LONG_STRING ? this.#strings.get(text) : undefined;
    if (known) return known;
    if (!this.#mayRead(text)) return undefined;
    const size = measureScalar(text);
    if (text.length > LONG_STRING) this.#strings.set(text, size);
    return size;
  }

  #mayRead(text: string): boolean {
    this.#budget.textCharacters -= text.length;
    return this.#budget.textCharacters >= 0;
  }

  #definition(pointer: unknown, depth: number): Size | undefined {
    // A property may have the name `$ref`.
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

/** A value may have lines of its own, one level deeper than the two around it. */
function measureScalar(value: unknown): Size {
  const text = typeof value === "string" ? value : String(value);
  const inner = 1 + countLineBreaks(text);
  return {
    tokens: NODE_TOKENS + boundTextTokens(text) + inner * (INDENT_TOKENS + COMMENT_MARK_TOKENS),
    lines: 2 + inner,
  };
}

/** @see RFC 6901; undefined when nothing is there. */
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
