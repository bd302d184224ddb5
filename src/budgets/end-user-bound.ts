import { GatewayError } from "../errors.ts";
import { parseScope } from "./scopes.ts";

/** Maximum number of budgets of end users in memory, and of those of one key. A client can invent any number of end users. */
const BUDGETS_MAX = 50_000;
const BUDGETS_PER_KEY_MAX = 10_000;

/**
 * Bounds the budgets of end users in memory. Other budgets are not counted: the operator creates them, and a client that invents
 * end users must not keep other keys from theirs.
 */
export class EndUserBound {
  readonly #countByKey = new Map<string, number>();
  #count = 0;

  /**
   * Counts a budget, if its scope is an end user.
   * @throws GatewayError overloaded if there are too many.
   */
  add(scope: string): void {
    const { keyId } = parseScope(scope);
    if (keyId === undefined) return;
    const ofKey = this.#countByKey.get(keyId) ?? 0;
    if (this.#count >= BUDGETS_MAX || ofKey >= BUDGETS_PER_KEY_MAX)
      throw new GatewayError(
        "overloaded",
        "Too many end users have budgets in use at once; try again shortly.",
      );
    this.#count++;
    this.#countByKey.set(keyId, ofKey + 1);
  }

  /** Removes a budget that was counted. */
  remove(scope: string): void {
    const { keyId } = parseScope(scope);
    if (keyId === undefined) return;
    this.#count--;
    const ofKey = (this.#countByKey.get(keyId) ?? 1) - 1;
    if (ofKey > 0) this.#countByKey.set(keyId, ofKey);
    else this.#countByKey.delete(keyId);
  }
}
