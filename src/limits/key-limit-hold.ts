import type { FastifyReply } from "fastify";
import type { LimitHold, RequestContext } from "../http/request-context.ts";
import type { LocalWindow, LocalWindows } from "./local-windows.ts";
import type { Place, Places } from "./places.ts";
import type { SharedPlaces } from "./shared-places.ts";
import type { LimitPlan, ScopedLimit } from "./scoped-limits.ts";

/** Tokens that a request has counted under one limit: in a window of this process, or in one of Redis. */
type CountedTokens = { readonly limit: ScopedLimit; readonly tokens: number } & (
  | { readonly window: LocalWindow }
  | { readonly startedAt: number }
);

/** The counters that a hold gives back to. Implemented by KeyLimiter. */
export interface HoldOwner {
  readonly windows: LocalWindows;
  readonly places: Places;
  readonly shared: SharedPlaces | undefined;
  admitTokens(hold: KeyLimitHold, reply: FastifyReply, tokens: number): Promise<void>;
}

/** The places and tokens that one request holds under the limits of its key and group. */
export class KeyLimitHold implements LimitHold {
  readonly #owner: HoldOwner;
  readonly plan: LimitPlan;
  /** Identifies the request among the places in Redis. */
  readonly member: string;
  #places: Place[] = [];
  #counted: CountedTokens[] = [];

  constructor(owner: HoldOwner, plan: LimitPlan, member: string) {
    this.#owner = owner;
    this.plan = plan;
    this.member = member;
  }

  get limitsTokens(): boolean {
    return this.plan.tokens.length > 0;
  }

  async admitTokens(context: RequestContext, reply: FastifyReply, tokens: number): Promise<void> {
    await this.#owner.admitTokens(this, reply, tokens);
    if (context.hasEnded) this.end(context);
  }

  addPlace(place: Place): void {
    this.#places.push(place);
  }

  addTokens(counted: CountedTokens): void {
    this.#counted.push(counted);
  }

  end(context: RequestContext): void {
    const { places, windows, shared } = this.#owner;
    const [released, counted] = [this.#places, this.#counted];
    this.#places = [];
    this.#counted = [];
    for (const place of released) places.release(place);
    const actual = counted.length > 0 ? readActualTokens(context) : undefined;
    const corrections = [];
    for (const one of counted) {
      const tokens = (actual ?? one.tokens) - one.tokens;
      if (tokens === 0) continue;
      if ("window" in one) windows.correct(one.limit, one.window, tokens);
      else corrections.push({ limit: one.limit, startedAt: one.startedAt, tokens });
    }
    shared?.end(
      released.map(({ limit }) => limit),
      corrections,
      this.member,
    );
  }
}

/** Returns the tokens of an ended request; undefined if upstream did not state them but may have billed the request. */
function readActualTokens({ wasSent, isUncharged, usage }: RequestContext): number | undefined {
  if (!wasSent || isUncharged) return 0;
  if (!usage) return undefined;
  return (usage.tokens["prompt_tokens"] ?? 0) + (usage.tokens["completion_tokens"] ?? 0);
}
