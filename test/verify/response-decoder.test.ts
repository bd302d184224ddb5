import { expect, test } from "vitest";
import { ResponseDecoder } from "../../tools/verify/response-decoder.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: 1\r\n\r\n`;
const SIZED = `${HEAD}Content-Length: 6\r\n\r\nhello!`;

function decode(text: string, splitBytes = text.length): ResponseDecoder {
  const decoder = new ResponseDecoder();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += splitBytes) decoder.push(bytes.subarray(at, at + splitBytes), at);
  return decoder;
}

test.each([
  ["chunked encoding", CHUNKED],
  ["a length", SIZED],
  ["an interim response before the final one", `HTTP/1.1 100 Continue\r\n\r\n${SIZED}`],
])("decodes a response with %s, at once or byte by byte", (_, text) => {
  for (const splitBytes of [text.length, 7, 1]) {
    const { status, complete, body } = decode(text, splitBytes);
    expect({ status, complete, body: body.toString() }).toEqual({
      status: 200,
      complete: true,
      body: "hello!",
    });
  }
});

test.each([
  ["last chunk", CHUNKED.slice(0, CHUNKED.indexOf("0\r\nTrailer"))],
  ["end of the last chunk", CHUNKED.slice(0, -2)],
  ["last byte", SIZED.slice(0, -1)],
])("a response without its %s is incomplete, even at the end of the connection", (_, text) => {
  const decoder = decode(text);
  decoder.end();
  expect(decoder.complete).toBe(false);
});

test("a body without a length ends with the connection", () => {
  const decoder = decode(`${HEAD}\r\nhello!`);
  expect(decoder.complete).toBe(false);
  decoder.end();
  expect({ complete: decoder.complete, body: decoder.body.toString() }).toEqual({
    complete: true,
    body: "hello!",
  });
});

test("records the arrival time of each byte", () => {
  const decoder = new ResponseDecoder();
  decoder.push(Buffer.from(SIZED.slice(0, -4)), 10);
  decoder.push(Buffer.from(SIZED.slice(-4)), 20);
  expect(decoder).toMatchObject({
    headAtMs: 10,
    arrivals: [
      { bodyBytes: 2, atMs: 10 },
      { bodyBytes: 6, atMs: 20 },
    ],
  });
});

test("joins repeated headers", () => {
  const decoder = decode("HTTP/1.1 204 No Content\r\nA: 1\r\na:2\r\n\r\n");
  expect(decoder).toMatchObject({ status: 204, complete: true });
  expect(decoder.readHeader("a")).toBe("1, 2");
  expect(decoder.readHeader("b")).toBeUndefined();
});

test.each(["SSH-2.0-x\r\n\r\n", `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n`])(
  "rejects data that is not HTTP",
  (text) => {
    expect(() => decode(text)).toThrow(/begins with/);
  },
);
