import type { Dispatcher } from "undici";
import { expect, test } from "vitest";
import { Call, type BeforeHead } from "../../src/upstream/call.ts";

const CONTROLLER = { abort: () => {} } as unknown as Dispatcher.DispatchController;

/** Makes a call that is answered at once, with a head, two pieces and an end. @returns what its sink was told. */
function answeredThrough(beforeHead: BeforeHead): string[] {
  const told: string[] = [];
  const sink = {
    onHead: ({ status }: { status: number }) => void told.push(`head ${status}`),
    onData: (chunk: Buffer) => void told.push(chunk.toString()),
    onEnd: () => void told.push("end"),
    onFailure: () => void told.push("failure"),
    onSent: () => {},
    onRetry: () => void told.push("retry"),
  };
  const attempt = (handler: Dispatcher.DispatchHandler): void => {
    handler.onRequestStart?.(CONTROLLER, undefined);
    handler.onResponseStart?.(CONTROLLER, 200, {});
    handler.onResponseData?.(CONTROLLER, Buffer.from("a"));
    handler.onResponseData?.(CONTROLLER, Buffer.from("b"));
    handler.onResponseEnd?.(CONTROLLER, {});
  };
  void new Call(attempt, sink, { body: undefined, beforeHead, retryForMs: 0 });
  return told;
}

test("a step before the head that releases the response at once changes nothing", () => {
  expect(answeredThrough((_, release) => release())).toEqual(["head 200", "a", "b", "end"]);
});

test("a step before the head that releases the response later delivers all of it then, once", () => {
  let release = (): void => {};
  const told = answeredThrough((_, released) => (release = released));
  expect(told).toEqual([]);
  release();
  release();
  expect(told).toEqual(["head 200", "a", "b", "end"]);
});
