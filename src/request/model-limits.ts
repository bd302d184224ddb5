/**
 * Maximum length of the name of a model or preset, the same as that of a pattern of a key. The longest recorded name has 36
 * characters. The length is limited because each name is compared with up to 100 patterns.
 */
export const MODEL_NAME_MAX_CHARACTERS = 256;

/** Maximum number of models in `models`, and in all plugins and tools together. OpenRouter documents up to 8 in a list. */
export const MODELS_MAX = 64;
