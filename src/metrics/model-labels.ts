import { findListed, type ModelIndex } from "../upstream/model-index.ts";
import { BoundedLabels, OTHER } from "./label-bounds.ts";

/** More models than OpenRouter lists. */
const MODELS_MAX = 1_000;
const MODEL_MAX_CHARS = 256;
/** Interval of reads of the catalogue, which itself fetches the list from upstream when it is five minutes old. */
const READ_EVERY_MS = 60_000;
/** Interval of attempts until the first one succeeds. */
const RETRY_EVERY_MS = 10_000;

/** Source of the list of models. A failed read is repeated after some seconds. */
export interface ModelSource {
  listAll(): Promise<ModelIndex>;
}

/**
 * Finds the label of a model: its id in OpenRouter's list. A client can send any name, so a name that is not in the list is
 * `other`. A model that leaves the list keeps its label.
 */
export class ModelLabels {
  readonly #labels = new BoundedLabels(MODELS_MAX, MODEL_MAX_CHARS);
  readonly #onChange: () => void;
  #index: ModelIndex | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #isStopped = false;

  /** @param onChange called when a new list is used, so that labels of names must be found again. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /**
   * Returns the label of a model.
   * @param name the forwarded name. Variants that are not listed, a preset, and the dated name count as their model.
   */
  find(name: string): string {
    if (name.length > MODEL_MAX_CHARS) return OTHER;
    const preset = name.indexOf("@");
    const model = preset === -1 ? name : name.slice(0, preset);
    const listed = this.#index && findListed(this.#index, model);
    if (listed) return listed.id.length > MODEL_MAX_CHARS ? OTHER : this.#labels.admit(listed.id);
    return this.#labels.has(model) ? model : OTHER;
  }

  /** Reads the list in the background until {@link stop} is called. No request waits for it. */
  follow(source: ModelSource): void {
    const read = async (): Promise<void> => {
      try {
        const list = await source.listAll();
        if (list !== this.#index) {
          this.#index = list;
          this.#onChange();
        }
      } catch {
        // Upstream failed. Until a later attempt succeeds, all models are `other`, or those of the previous list.
      }
      if (this.#isStopped) return;
      this.#timer = setTimeout(() => void read(), this.#index ? READ_EVERY_MS : RETRY_EVERY_MS).unref();
    };
    void read();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }
}
