// Preloaded into a gateway: its clock is 5 s ahead of the clocks of the database and of the other gateways.
const SKEW_MS = 5_000;
const RealDate = Date;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RealDate.now() + SKEW_MS] : args, newTarget) as Date,
  get: (target, name) =>
    name === "now" ? () => RealDate.now() + SKEW_MS : (Reflect.get(target, name) as unknown),
});
