const EVENT_END = Buffer.from("\n\n");
const COLON = 0x3a;

/** The same JSON in the spelling of JavaScript. */
export function reserialise(json: Buffer): Buffer {
  return Buffer.from(JSON.stringify(JSON.parse(json.toString())));
}

/** Changes a body as it passes. */
export interface BodyFilter {
  /** What is to be passed on now. */
  pass(bytes: Buffer): Buffer;
  /** What is left at the end. */
  flush(): Buffer;
}

/** For a stream: passes whole events only, and of these none that is a comment. */
export function createCommentFilter(): BodyFilter {
  let pending = Buffer.alloc(0);
  return {
    pass: (bytes) => {
      pending = Buffer.concat([pending, bytes]);
      const events: Buffer[] = [];
      for (let end = pending.indexOf(EVENT_END); end >= 0; end = pending.indexOf(EVENT_END)) {
        const event = pending.subarray(0, end + EVENT_END.length);
        pending = pending.subarray(event.length);
        if (event[0] !== COLON) events.push(event);
      }
      return Buffer.concat(events);
    },
    flush: () => pending,
  };
}

/** For any body: changes nothing. */
export const UNCHANGED: BodyFilter = { pass: (bytes) => bytes, flush: () => Buffer.alloc(0) };
