/**
 * Maximum length of the name of a model or preset. The length is limited because the gateway compares each name with up to
 * 100 patterns of the key, which have the same maximum length. The longest recorded name has 36 characters.
 */
export const MODEL_NAME_MAX_CHARACTERS = 256;

/** Maximum number of models in `models`, and in all plugins and tools together. OpenRouter documents up to 8 in a list. */
export const MODELS_MAX = 64;
