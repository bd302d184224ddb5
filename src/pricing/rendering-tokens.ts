/** Tokens for the indentation of one nesting level: a tokenizer may produce one for each space. */
export const INDENT_TOKENS = 4;
/** Tokens for punctuation, tags and type names around a value. */
export const NODE_TOKENS = 16;
/** Tokens for a comment mark. Each line of a description may be printed as a comment line. */
export const COMMENT_MARK_TOKENS = 4;
/** Maximum nesting depth. Deeper values count as unbounded, because measuring them could overflow the stack. */
export const MAX_DEPTH = 600;
