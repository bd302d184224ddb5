// The behaviour that a request selects: `<behaviour>[:key=value[,key=value…]]`, read from the header
// `x-simulate` or from a model named `sim/<behaviour>[:…]`. Every option has a default here, and nowhere else.

const COMMON_DEFAULTS = {
  /** content events in a stream */
  events: 6,
  /** wait before the response */
  delayMs: 0,
  /** wait between data events, or between the pieces of a JSON response; 0 writes everything at once */
  gapMs: 0,
  /** extra content in each content event */
  padBytes: 0,
  /** size of the pieces of the body in bytes, each of which is a separate socket write; 0 does not split */
  split: 0,
  /** number of keep-alive units before the JSON of an unstreamed response */
  whitespace: 2,
  /** comment lines in a stream: one before the first data, the others between data */
  comments: 3,
  /** extra wait after the end of a generation before `GET /generation` knows it */
  recordMs: 0,
  /** 1 bills as with the account's own key at the provider (BYOK): OpenRouter charges only its fee */
  byok: 0,
  /** 0 leaves out the header X-Generation-Id, so that only the body has the id */
  idHeader: 1,
  /** 0 leaves the cost out of the usage */
  cost: 1,
  /** 1 adds `event:` lines to the streams of /responses */
  eventLines: 0,
  /** 1 puts the usage of embeddings before their data */
  usageFirst: 0,
};

// `after` counts the data events (in a JSON response: the keep-alive units) sent whole before the fault, comments not
// counted; `half=1` adds half of the next one. What completes a response, such as `[DONE]`
// or the JSON document, is never sent completely before a fault.
const OWN_DEFAULTS = {
  ok: {},
  /** OpenRouter's error of a status; Retry-After in seconds, -1 for none; approximate size of the metadata */
  error: { status: 500, retryAfter: -1, metadataBytes: 0 },
  /**
   * an error event in the form of the endpoint, as the end of a stream; in a JSON response a 200 with whitespace and only
   * the error, which costs nothing
   */
  "error-midstream": { after: 2, status: 502 },
  /** a FIN without the terminating chunk */
  cut: { after: 2, half: 0 },
  /** a TCP reset; before any head with `head=0` or `after=-1` */
  reset: { after: 2, half: 0, head: 1 },
  /** a FIN before any head */
  close: {},
  /** starts a valid response and then sends nothing more */
  stall: { after: 2, half: 0 },
  /** no head, and the connection stays open */
  hang: {},
  /** at least this many bytes, as fast as the client reads them */
  flood: { bytes: 64 * 1024 * 1024 },
  /** an HTML error page like Cloudflare's */
  html: { status: 502 },
  /** a stream, even if the client requested JSON */
  "sse-for-json": {},
  /** JSON, even if the client requested a stream */
  "json-for-sse": {},
  /** a stream that ends cleanly without the event by which clients know its end, such as [DONE] */
  "no-done": {},
  /** neither chunked nor with a length: the body ends with the connection, by a reset if `reset=1`; -1 sends all */
  "close-delimited": { after: -1, reset: 0 },
  /** a redirect to /api/v1/redirect-target, which is in `seen` if a client follows the redirect */
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
  /** `error` for the first `times` requests with this `id`, then `ok` */
  flaky: { times: 1, status: 429, retryAfter: 0, id: "default" },
};

type OwnDefaults = typeof OWN_DEFAULTS;
type Widened<T> = { readonly [K in keyof T]: T[K] extends string ? string : number };

/** Options that every behaviour takes; `…Ms` are milliseconds, `…Bytes` bytes, the others counts. */
export type CommonOptions = Widened<typeof COMMON_DEFAULTS>;

/** The name of something the simulator can do. */
type BehaviourName = keyof OwnDefaults;

/** A behaviour with values for all its options; `name` determines the type of `own`. */
export type Plan = {
  [N in BehaviourName]: {
    readonly name: N;
    readonly own: Widened<OwnDefaults[N]>;
    readonly common: CommonOptions;
  };
}[BehaviourName];

/** The reason why a text is not a behaviour, as a message for its author. */
export interface Mistake {
  readonly mistake: string;
}

/** All behaviours, in the order of their table. */
export const BEHAVIOUR_NAMES = Object.keys(OWN_DEFAULTS) as BehaviourName[];

function written(options: object): string {
  return Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** Lists all behaviours with their options and defaults, one per line, in the syntax of model names. */
export function describeBehaviours(): string {
  const lines = Object.entries(OWN_DEFAULTS).map(
    ([name, own]) => `  sim/${[name, written(own)].filter(Boolean).join(":")}`,
  );
  return `${lines.join("\n")}\n  and for each of them ${written(COMMON_DEFAULTS)}`;
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
