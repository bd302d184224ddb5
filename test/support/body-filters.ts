const EVENT_END = Buffer.from("\n\n");
const COLON = 0x3a;

/** Parses JSON and serialises it again. */
export function reserialise(json: Buffer): Buffer {
  return Buffer.from(JSON.stringify(JSON.parse(json.toString())));
}

/** Changes a body piece by piece. */
export interface BodyFilter {
  /** Returns the bytes to forward now. */
  pass(bytes: Buffer): Buffer;
  /** Returns the remaining bytes at the end. */
  flush(): Buffer;
}

/** Creates a filter for event streams. It forwards complete events and drops comments. */
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

/** Forwards any body unchanged. */
export const UNCHANGED: BodyFilter = { pass: (bytes) => bytes, flush: () => Buffer.alloc(0) };
