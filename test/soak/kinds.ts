// The requests of a soak test: the simulator's responses to them, and the behaviour of their clients.

/** One kind of request, defined by the simulator's response. */
export interface SoakKind {
  readonly model: string;
  /** Whether the client requests a stream; undefined: chosen at random. */
  readonly stream?: boolean;
  readonly isFault: boolean;
  /** Whether the response has no generation id and may have been charged, so that its cost may stay unknown. */
  readonly isUnproven: boolean;
}

/** A client's behaviour while it waits for its response. */
export type Behaviour =
  | "reads"
  | "disconnects-early"
  | "disconnects-midway"
  | "reads-slowly"
  | "stops-reading"
  | "sends-slowly"
  | "broken-request"
  | "wrong-key";

const PLAIN = [
  "openai/gpt-4o-mini",
  "openrouter/google/gemini-3-flash-preview",
  "sim/ok:gapMs=3",
  "sim/ok:delayMs=20",
  "sim/ok:gapMs=1,events=30",
  "sim/ok:split=17",
  "sim/ok:byok=1",
  "sim/ok:recordMs=1500",
].map((model): SoakKind => ({ model, isFault: false, isUnproven: false }));

const PROVEN_FAULTS = [
  "sim/cut:after=2",
  "sim/cut:after=1,half=1",
  "sim/reset:after=2",
  "sim/stall:after=2",
  "sim/close-delimited",
  "sim/close-delimited:after=2",
  "sim/no-done",
  "sim/error:status=400",
  "sim/error:status=402",
  "sim/error:status=429,retryAfter=1",
  "sim/error:status=500",
  "sim/error:status=503",
  "sim/error:status=400,metadataBytes=20000",
  "sim/error-midstream",
  "sim/sse-for-json",
  "sim/json-for-sse",
  "sim/empty-choices",
  "sim/debug",
  "sim/crlf",
].map((model): SoakKind => ({ model, isFault: true, isUnproven: false }));

const UNPROVEN_FAULTS = [
  "sim/hang",
  "sim/close",
  "sim/reset:head=0",
  "sim/html",
  "sim/redirect",
  "sim/garbage",
  "sim/early-413",
].map((model): SoakKind => ({ model, isFault: true, isUnproven: true }));

const FAULTS: readonly SoakKind[] = [...PROVEN_FAULTS, ...UNPROVEN_FAULTS];
const SHARE_PERCENT = 1;

/** A response that is larger than all buffers between simulator and client. */
export const LARGE_RESPONSE: SoakKind = {
  model: "sim/flood:bytes=8000000",
  stream: true,
  isFault: true,
  isUnproven: false,
};

/** Picks each fault for 1 % of all requests, and plain responses for the rest. @param random from 0 to 1. */
export function pickKind(random: number): SoakKind {
  const percent = random * 100;
  const fault = FAULTS[Math.floor(percent / SHARE_PERCENT)];
  if (fault) return fault;
  const rest = (percent - FAULTS.length * SHARE_PERCENT) / (100 - FAULTS.length * SHARE_PERCENT);
  return PLAIN[Math.min(Math.floor(rest * PLAIN.length), PLAIN.length - 1)] as SoakKind;
}

const BEHAVIOUR_PERCENTS: readonly (readonly [Behaviour, number])[] = [
  ["disconnects-early", 4],
  ["disconnects-midway", 4],
  ["reads-slowly", 0.5],
  ["stops-reading", 0.5],
  ["sends-slowly", 1],
  ["broken-request", 1],
  ["wrong-key", 1],
];

/** Picks a behaviour by its percentage. @param random from 0 to 1. */
export function pickBehaviour(random: number): Behaviour {
  let percent = random * 100;
  return BEHAVIOUR_PERCENTS.find(([, share]) => (percent -= share) < 0)?.[0] ?? "reads";
}
