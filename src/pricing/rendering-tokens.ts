/** Indentation of one level of nesting, in tokens: a tokenizer may make one of each blank. */
export const INDENT_TOKENS = 4;
/** Punctuation, tags and type names around a value. */
export const NODE_TOKENS = 16;
/** A line of a description becomes a line of its own, behind a comment mark. */
export const COMMENT_MARK_TOKENS = 4;
/** Deeper values are refused a bound instead of overflowing the stack. */
export const MAX_DEPTH = 600;
