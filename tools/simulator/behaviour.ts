// The behaviour that a request selects: `<behaviour>[:key=value[,key=value…]]`, read from the header
// `x-simulate` or from a model named `sim/<behaviour>[:…]`. This file defines the default of every option.

const COMMON_DEFAULTS = {
  /** content events in a stream */
  events: 6,
  /** wait before the response */
  delayMs: 0,
  /** wait between data events, or between the pieces of a JSON response; 0 writes everything at once */
  gapMs: 0,
  /** bytes of padding in each content event */
  padBytes: 0,
  /** splits the body into socket writes of this many bytes; 0 does not split */
  split: 0,
  /** number of keep-alive units before the JSON of an unstreamed response */
  whitespace: 2,
  /** comment lines in a stream: one before the first data, the others between data */
  comments: 3,
  /** extra wait after the end of a generation before `GET /generation` knows it */
  recordMs: 0,
  /** 1 simulates the account's own key at the provider (BYOK), for which OpenRouter charges only its fee */
  byok: 0,
  /** 0 omits the header X-Generation-Id, so that only the body has the id */
  idHeader: 1,
  /** 0 omits the cost from the usage */
  cost: 1,
  /** 1 adds `event:` lines to the streams of /responses */
  eventLines: 0,
  /** 1 puts the usage of embeddings before their data */
  usageFirst: 0,
};

// `after` is the number of complete data events before the fault, without comments. In a JSON response, it counts keep-alive
// units. `half=1` also sends half of the next one. Neither the JSON document nor the event that completes a stream, such as
// `[DONE]`, is sent completely before a fault.
const OWN_DEFAULTS = {
  ok: {},
  /** OpenRouter's error with `status`; `retryAfter` is in seconds, -1 omits the header; `metadataBytes` is approximate */
  error: { status: 500, retryAfter: -1, metadataBytes: 0 },
  /** in a stream, an error event in the endpoint's format; otherwise a 200 whose JSON has only the error, which costs nothing */
  "error-midstream": { after: 2, status: 502 },
  /** a FIN without the terminating chunk */
  cut: { after: 2, half: 0 },
  /** a TCP reset; with `head=0` or `after=-1`, before the response head */
  reset: { after: 2, half: 0, head: 1 },
  /** a FIN before the response head */
  close: {},
  /** starts a valid response and then sends nothing more */
  stall: { after: 2, half: 0 },
  /** sends nothing, not even a head, and keeps the connection open */
  hang: {},
  /** at least this many bytes, as fast as the client reads them */
  flood: { bytes: 64 * 1024 * 1024 },
  /** an HTML error page like Cloudflare's */
  html: { status: 502 },
  /** a stream, even if the client requested JSON */
  "sse-for-json": {},
  /** JSON, even if the client requested a stream */
  "json-for-sse": {},
  /** a stream that ends cleanly without the event that completes it, such as [DONE] */
  "no-done": {},
  /** no chunks and no Content-Length: the end of the connection ends the body; `after=-1` sends all, `reset=1` resets */
  "close-delimited": { after: -1, reset: 0 },
  /** a redirect to /api/v1/redirect-target; if a client follows it, `seen` has the second request */
  redirect: { status: 307 },
  /** bytes that are not HTTP */
  garbage: {},
  /** chat completions and completions: a first chunk with `choices: []` and the request body under `debug` */
  debug: {},
  /** chat completions and completions: the usage chunk of a stream has `choices: []` */
  "empty-choices": {},
  /** a stream with CRLF line ends */
  crlf: {},
  /** 413 before the body is read; the connection closes `lingerMs` later */
  "early-413": { lingerMs: 100 },
  /** `error` for the first `times` requests with this `id`, or with `cutAfter` the fault `cut` after so many events; then `ok` */
  flaky: { times: 1, status: 429, retryAfter: 0, id: "default", cutAfter: -1 },
};

type OwnDefaults = typeof OWN_DEFAULTS;
type Widened<T> = { readonly [K in keyof T]: T[K] extends string ? string : number };

/** Options that every behaviour takes; `…Ms` are milliseconds, `…Bytes` bytes, the others counts. */
export type CommonOptions = Widened<typeof COMMON_DEFAULTS>;

/** The name of a behaviour. */
type BehaviourName = keyof OwnDefaults;

/** A behaviour with values for all its options; `name` determines the type of `own`. */
export type Plan = {
  [N in BehaviourName]: {
    readonly name: N;
    readonly own: Widened<OwnDefaults[N]>;
    readonly common: CommonOptions;
  };
}[BehaviourName];

/** The result of parsing an invalid behaviour: a message for the author of the request. */
export interface Mistake {
  readonly mistake: string;
}

/** The names of all behaviours, in the order of `OWN_DEFAULTS`. */
export const BEHAVIOUR_NAMES = Object.keys(OWN_DEFAULTS) as BehaviourName[];

function formatOptions(options: object): string {
  return Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** Lists all behaviours with their options and defaults, one per line, in the syntax of model names. */
export function describeBehaviours(): string {
  const lines = Object.entries(OWN_DEFAULTS).map(
    ([name, own]) => `  sim/${[name, formatOptions(own)].filter(Boolean).join(":")}`,
  );
  return `${lines.join("\n")}\n  Options of every behaviour: ${formatOptions(COMMON_DEFAULTS)}`;
}

/** The behaviour of a request that selects none. */
export const PLAIN: Plan = { name: "ok", own: {}, common: COMMON_DEFAULTS };

// Node's timers treat longer delays as 1 ms.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function readNumber(key: string, text: string, fallback: number): number | string {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  const least = key === "after" || fallback === -1 ? -1 : 0;
  const most = key.endsWith("Ms") ? LONGEST_TIMER_MS : Number.MAX_SAFE_INTEGER;
  if (!(value >= least && value <= most)) return `must be a whole number from ${least} to ${most}`;
  if (key === "status" && (value < 200 || value > 599)) return "must be a status from 200 to 599";
  return value;
}

/**
 * Reads `<behaviour>[:key=value[,key=value…]]`.
 * @returns the plan; or, if the behaviour, option or value is unknown, the mistake with a list of the known names
 */
export function parseBehaviour(text: string): Plan | Mistake {
  const colon = text.indexOf(":");
  const name = (colon < 0 ? text : text.slice(0, colon)).trim();
  if (!Object.hasOwn(OWN_DEFAULTS, name)) {
    return { mistake: `Unknown behaviour "${name}"; known: ${BEHAVIOUR_NAMES.join(", ")}` };
  }
  const own: Record<string, number | string> = { ...OWN_DEFAULTS[name as BehaviourName] };
  const common: Record<string, number | string> = { ...COMMON_DEFAULTS };
  const assignments = colon < 0 ? [] : text.slice(colon + 1).split(",");
  const mistake = (what: string): Mistake => {
    const known = [...Object.keys(own), ...Object.keys(common)].join(", ");
    return { mistake: `${what}; options of behaviour "${name}": ${known}` };
  };
  for (const assignment of assignments) {
    const [key = "", value = ""] = assignment.split("=", 2).map((part) => part.trim());
    const target = Object.hasOwn(own, key) ? own : common;
    const fallback = Object.hasOwn(target, key) ? target[key] : undefined;
    if (fallback === undefined) return mistake(`Unknown option "${key}"`);
    if (typeof fallback === "string") {
      target[key] = value;
      continue;
    }
    const parsed = readNumber(key, value, fallback);
    if (typeof parsed === "string") return mistake(`Option "${key}" ${parsed}`);
    target[key] = parsed;
  }
  return { name, own, common } as unknown as Plan;
}
