import type { Dispatcher } from "undici";
import { expect, test } from "vitest";
import { Call, type BeforeHead } from "../../src/upstream/call.ts";

const CONTROLLER = { abort: () => {} } as unknown as Dispatcher.DispatchController;

/** Makes a call that receives a head, two pieces and an end at once. @returns the events that its sink received. */
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

test("delivers a response at once when beforeHead releases it at once", () => {
  expect(callThrough((_, release) => release())).toEqual(["head 200", "a", "b", "end"]);
});

test("delivers a complete response, only once, when beforeHead releases it later", () => {
  let release = (): void => {};
  const events = callThrough((_, released) => (release = released));
  expect(events).toEqual([]);
  release();
  release();
  expect(events).toEqual(["head 200", "a", "b", "end"]);
});
