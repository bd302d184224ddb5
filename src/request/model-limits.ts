/**
 * How many characters the name of a model or preset may have: as many as a key's pattern. The longest recorded one has 36.
 * Each name is compared with up to 100 patterns of the key.
 */
export const MODEL_NAME_MAX_CHARACTERS = 256;

/** How many models `models` may name, and how many plugins and tools may name in all. OpenRouter documents up to 8 in a list. */
export const MODELS_MAX = 64;
