import * as fc from "fast-check";
import type { Fault } from "../../support/faulty-database.ts";
import { END_USERS, KEY_IDS, type Order } from "./keys.ts";
import type { World } from "./world.ts";

const HOUR_MS = 3_600_000;

/** One step of a random history. */
export type Step =
  | { readonly do: "send" | "cancel"; readonly order: Order }
  | { readonly do: "burst"; readonly orders: readonly Order[] }
  | { readonly do: "head"; readonly pick: number }
  | {
      readonly do: "end";
      readonly pick: number;
      readonly how: "settled" | "pending" | "unknown" | "not sent";
      readonly share: number;
    }
  | { readonly do: "look up"; readonly count: number }
  | { readonly do: "flush" | "tick" | "replay" | "expire" }
  | { readonly do: "adopt"; readonly process: number; readonly isLongSilent: boolean }
  | { readonly do: "crash" | "restart"; readonly process: number; readonly share: number }
  | { readonly do: "jump"; readonly ms: number }
  | { readonly do: "limit"; readonly pick: number; readonly limit: number }
  | {
      readonly do: "fail";
      readonly process: number;
      readonly of: "budgets" | "recorder";
      readonly faults: readonly Fault[];
    };

const order: fc.Arbitrary<Order> = fc
  .record({
    process: fc.nat(2),
    key: fc.constantFrom(...KEY_IDS),
    worstCase: fc.integer({ min: 1, max: 400 }),
    endUser: fc.constantFrom(...END_USERS),
  })
  .map((one) => ({ ...one, endUser: one.key === "c" ? one.endUser : undefined }));
const pick = fc.nat(20);
const process = fc.nat(2);
const share = fc.oneof(fc.constantFrom(0, 1_000), fc.nat(1_000));
const faults = fc.array(fc.constantFrom("before", "after"), { minLength: 1, maxLength: 2 });

/** Random steps, weighted so that a history has mostly requests. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant("send"), order }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel"), order }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("burst"),
      orders: fc.array(order, { minLength: 2, maxLength: 8 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("head"), pick }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("end"), pick, how: fc.constant("settled"), share }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("end"),
      pick,
      how: fc.constant("settled"),
      share: fc.integer({ min: 1_001, max: 2_000 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("end"),
      pick,
      how: fc.constantFrom("pending", "unknown", "not sent"),
      share,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("look up"), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("flush", "tick", "replay", "expire") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("adopt"), process, isLongSilent: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("crash", "restart"), process, share }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("jump"),
      ms: fc.constantFrom(-5_000, HOUR_MS, 24 * HOUR_MS, 31 * 24 * HOUR_MS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("limit"), pick, limit: fc.integer({ min: 100, max: 4_000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("fail"), process, of: fc.constant("budgets"), faults }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("fail"), process, of: fc.constant("recorder"), faults }),
  },
);

/** Runs one step. */
export async function runStep(world: World, one: Step): Promise<void> {
  switch (one.do) {
    case "send":
    case "cancel":
      await world.send(one.order, one.do === "cancel");
      break;
    case "burst":
      await Promise.all(one.orders.map((single) => world.send(single)));
      break;
    case "head":
      world.receiveHead(one.pick);
      break;
    case "end":
      world.end(one.pick, one.how, one.share);
      break;
    case "look up":
      await world.lookUpCosts(one.count);
      break;
    case "flush":
      await world.flush();
      break;
    case "tick":
      await world.tick();
      break;
    case "replay":
      await world.replay();
      break;
    case "expire":
      await world.adopt(undefined, false);
      break;
    case "adopt":
      await world.adopt(one.process, one.isLongSilent);
      break;
    case "crash":
      world.crash(one.process, one.share);
      break;
    case "restart":
      await world.restart(one.process, one.share);
      break;
    case "jump":
      world.now += one.ms;
      break;
    case "limit":
      world.changeLimit(one.pick, one.limit);
      break;
    case "fail":
      world.fail(one.process, one.of, one.faults);
      break;
  }
}
