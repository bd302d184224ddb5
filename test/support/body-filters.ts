const EVENT_END = "\n\n";

/** Parses JSON and serialises it again. */
export function reserialise(json: Buffer): Buffer {
  return Buffer.from(JSON.stringify(JSON.parse(json.toString())));
}

/** Removes the optional prefix of every string in JSON, wherever the string is. */
export function removeEveryPrefix(json: Buffer): Buffer {
  return Buffer.from(json.toString("latin1").replace(/"openrouter\\?\//g, '"'), "latin1");
}

/** Changes a body piece by piece. */
export interface BodyFilter {
  /** Returns the bytes to forward now. */
  pass(bytes: Buffer): Buffer;
  /** Returns the remaining bytes at the end. */
  flush(): Buffer;
}

/** Creates a filter for event streams. It forwards complete events as `change` returns them; undefined drops an event. */
function createEventFilter(change: (event: string) => string | undefined): BodyFilter {
  // One character for each byte, because a character may be split over two pieces.
  let pending = "";
  return {
    pass: (bytes) => {
      pending += bytes.toString("latin1");
      const events = pending.split(/(?<=\r?\n\r?\n)/);
      pending = /\r?\n\r?\n$/.test(events.at(-1) ?? "") ? "" : (events.pop() ?? "");
      return Buffer.from(events.map((event) => change(event) ?? "").join(""), "latin1");
    },
    flush: () => Buffer.from(pending, "latin1"),
  };
}

/** Creates a filter that drops the comments of an event stream. */
export function createCommentFilter(): BodyFilter {
  return createEventFilter((event) => (event.startsWith(":") ? undefined : event));
}

/** Creates a filter that parses the data of each event, and writes it again as the only line of the event. */
export function createDataFilter(): BodyFilter {
  return createEventFilter((event) => {
    const data = /^data: ?(.*?)\r?$/m.exec(event)?.[1];
    if (data === undefined) return undefined;
    const json = data.startsWith("{") ? reserialise(Buffer.from(data, "latin1")).toString("latin1") : data;
    return `data: ${json}${EVENT_END}`;
  });
}

/** The last event of a complete stream, by the path of the endpoint; of other endpoints, `[DONE]`. */
const LAST_EVENTS: Readonly<Record<string, string>> = {
  responses: `event: response.completed\ndata: {"type":"response.completed"}${EVENT_END}`,
  messages: `event: message_stop\ndata: {"type":"message_stop"}${EVENT_END}`,
};
const DONE = `data: [DONE]${EVENT_END}`;

/** Creates a filter that adds the last event to a stream that ends without it. */
export function createEndFilter(path: string): BodyFilter {
  const last = LAST_EVENTS[path] ?? DONE;
  const mark = path === "messages" ? "message_stop" : "[DONE]";
  let end = "";
  return {
    pass: (bytes) => {
      end = (end + bytes.toString("latin1")).slice(-last.length);
      return bytes;
    },
    flush: () => Buffer.from(end.includes(mark) ? "" : last),
  };
}

/** Forwards any body unchanged. */
export const UNCHANGED: BodyFilter = { pass: (bytes) => bytes, flush: () => Buffer.alloc(0) };
