import type { Dispatcher } from "undici";
import { expect, test } from "vitest";
import { Call, type BeforeHead } from "../../src/upstream/call.ts";

const CONTROLLER = { abort: () => {} } as unknown as Dispatcher.DispatchController;

/** Makes a call that receives a whole response at once. @returns the events that the sink of the call received. */
function callThrough(beforeHead: BeforeHead): string[] {
  const events: string[] = [];
  const sink = {
    onHead: ({ status }: { status: number }) => void events.push(`head ${status}`),
    onData: (chunk: Buffer) => void events.push(chunk.toString()),
    onEnd: () => void events.push("end"),
    onFailure: () => void events.push("failure"),
    onSent: () => {},
    onRetry: () => void events.push("retry"),
  };
  const attempt = (handler: Dispatcher.DispatchHandler): void => {
    handler.onRequestStart?.(CONTROLLER, undefined);
    handler.onResponseStart?.(CONTROLLER, 200, {});
    handler.onResponseData?.(CONTROLLER, Buffer.from("a"));
    handler.onResponseData?.(CONTROLLER, Buffer.from("b"));
    handler.onResponseEnd?.(CONTROLLER, {});
  };
  void new Call(attempt, sink, { body: undefined, beforeHead, retryForMs: 0 });
  return events;
}

test("a call delivers a response at once if beforeHead releases the response at once", () => {
  expect(callThrough((_, release) => release())).toEqual(["head 200", "a", "b", "end"]);
});

test("a call delivers a buffered response only once, even if beforeHead releases the response twice", () => {
  let release = (): void => {};
  const events = callThrough((_, released) => (release = released));
  expect(events).toEqual([]);
  release();
  release();
  expect(events).toEqual(["head 200", "a", "b", "end"]);
});
