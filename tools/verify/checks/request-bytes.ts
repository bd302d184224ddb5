import type { Harness } from "../harness.ts";
import { compareBytes } from "../byte-difference.ts";
import type { Check } from "../check.ts";

interface Vector {
  readonly name: string;
  readonly title: string;
  readonly why: string;
  /** Builds the body. `messages` is the JSON text of a list of messages, which the body must contain. */
  readonly body: (messages: string) => string;
  readonly deadlineMs?: number;
}

const RESERIALISED = "A gateway that parses JSON and serialises it again changes its spelling";

/** Creates a builder of bodies with `model`, `messages` and further fields. @param fields JSON text of those fields. */
function addFields(fields: string): Vector["body"] {
  return (messages) => `{"model":"openai/gpt-4o-mini","messages":${messages},${fields}}`;
}

/** Creates a builder of bodies with one tool. @param schema JSON text of the tool's `parameters`. */
function addToolSchema(schema: string): Vector["body"] {
  return addFields(`"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]`);
}

const NUMBERS: readonly Vector[] = [
  {
    name: "big-integers",
    title: "integers beyond 2^53 keep every digit",
    why: "openai-python sends every digit of a big seed; a gateway that reads it as a double sends another seed, and no response can be reproduced",
    body: addFields(`"seed":9223372036854775807,"x_ids":[9007199254740993,-9223372036854775808]`),
  },
  {
    name: "number-spellings",
    title: "1.0, -0 and 1E5 keep their spelling",
    why: `${RESERIALISED}: if 1.0 becomes 1, strict schemas at providers see an integer, and prompt caches miss`,
    body: addFields(`"temperature":1.0,"top_p":1E0,"x_numbers":[-0,1E5,1e+2,0.10,-0.0,1.5e-7]`),
  },
  {
    name: "huge-exponents",
    title: "1e400 does not become null or infinity",
    why: "JSON does not limit numbers, but a double cannot represent 1e400, and JavaScript serialises it as null",
    body: addToolSchema(`{"type":"number","maximum":1e400,"minimum":-1e400}`),
  },
];

const STRUCTURE: readonly Vector[] = [
  {
    name: "whitespace",
    title: "white space between and after the fields stays",
    why: "prompt and response caches compare bytes, so a request with other white space misses them",
    body: (messages) =>
      `\n{ "model" :\t"openai/gpt-4o-mini",\r\n\t"messages" : ${messages} ,\n  "stop" : [ "a" , "b" ] } \n\n`,
  },
  {
    name: "key-order",
    title: "fields keep their order, even if their names are numbers",
    why: "OpenRouter's cache and the providers' depend on the order of keys; JavaScript objects put 2 and 10 before b and a",
    body: addToolSchema(`{"properties":{"b":{},"10":{},"a":{},"2":{}},"type":"object"}`),
  },
  {
    name: "unknown-fields",
    title: "unknown fields pass at every depth",
    why: "OpenRouter adds fields without notice; clients cannot use a field that the gateway drops until its next release",
    body: (messages) =>
      `{"model":"openai/gpt-4o-mini","messages":[{"role":"user","x_part":{"deep":[{"er":true}]},"content":[{"type":"x_new","x_new":{"a":1},"cache_control":{"type":"ephemeral"}}]},${messages.slice(1)},"x_new_field":{"a":[{"b":"c"}]},"provider":{"order":["openai"],"x_new":true},"reasoning":{"effort":"low","x_new":1},"plugins":[{"id":"web","x_new":[]}]}`,
  },
  {
    name: "null-fields",
    title: "null stays null, and is not removed",
    why: "null and absent differ upstream, for example in a stop that overrides a preset",
    body: addFields(`"stop":null,"temperature":null,"tools":null,"x_new":null,"user":null`),
  },
  {
    name: "empty-values",
    title: "empty strings, lists and objects are not removed",
    why: "an assistant's empty content and an empty list of stop sequences are legal, and differ from absent fields",
    body: addFields(`"stop":[],"metadata":{},"user":"","x_new":[{}],"logit_bias":{}`),
  },
  {
    name: "duplicate-keys",
    title: "both copies of a duplicate key in a nested object are forwarded",
    why: "some parsers keep the first value and others the last; a gateway that drops one of them changes the request",
    body: addToolSchema(`{"type":"object","title":"one","title":"two"}`),
  },
  {
    name: "proto-keys",
    title: "a key named __proto__ passes",
    why: "__proto__ is a valid name in a tool's schema; a gateway that copies objects may lose it, or pollute a prototype",
    body: addToolSchema(`{"type":"object","properties":{"__proto__":{"type":"string"}}}`),
  },
  {
    name: "constructor-keys",
    title: "keys named constructor, prototype and toString pass",
    why: "some filters against prototype pollution reject the whole request, or drop the key",
    body: addToolSchema(
      `{"properties":{"constructor":{"prototype":{"a":1}},"prototype":{},"toString":{},"hasOwnProperty":{}}}`,
    ),
  },
];

const STRINGS: readonly Vector[] = [
  {
    name: "escaped-slashes",
    title: "\\/ stays \\/",
    why: `${RESERIALISED}: PHP clients escape slashes, most serialisers do not, and caches miss`,
    body: addFields(`"user":"https:\\/\\/example.com\\/u"`),
  },
  {
    name: "escaped-letters",
    title: "\\u00e9 and \\u003c stay escapes",
    why: `${RESERIALISED}: clients that escape all characters beyond ASCII miss the cache`,
    body: addFields(`"user":"caf\\u00e9 \\u003cb\\u003e \\u4E16\\u754C \\ud83c\\udf89"`),
  },
  {
    name: "lone-surrogates",
    title: "a lone surrogate stays",
    why: "a client that truncates text inside an emoji sends one; a gateway that decodes and encodes it writes U+FFFD, or fails",
    body: addFields(`"user":"cut \\ud83d here"`),
  },
  {
    name: "escaped-keys",
    title: "a key spelled with escapes keeps its spelling",
    why: "the gateway must recognise the key and still forward its original spelling",
    body: (messages) =>
      `{"\\u006dodel":"openai/gpt-4o-mini","messages":${messages},"x\\u005fnew":{"\\u0061":1}}`,
  },
  {
    name: "raw-utf8",
    title: "text in UTF-8 is not escaped",
    why: "escapes make a prompt in most languages up to three times as long as UTF-8 does",
    body: addFields(`"user":"Grüße, 世界 🎉👩🏽‍🚀 ¡olé! \u2028 \u00a0 e\u0301"`),
  },
];

const IMAGE_BYTES = 20 * 1024 * 1024;
const CONVERSATION_MESSAGES = 2_000;

function buildLongConversation(messages: string): string {
  const turn = `{"role":"assistant","content":"Answer."},{"role":"user","content":"And then?"}`;
  const rest = Array.from({ length: (CONVERSATION_MESSAGES - 2) / 2 }, () => turn).join(",");
  return `{"model":"openai/gpt-4o-mini","messages":[{"role":"system","content":"S"},${rest},${messages.slice(1)}}`;
}

const LARGE: readonly Vector[] = [
  {
    name: "image-20mb",
    title: "an image of 20 MB in a data URL passes",
    why: "images, files and audio are part of the body, and many frameworks limit bodies to 1 MB by default",
    deadlineMs: 30_000,
    body: (messages) =>
      `{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${"iVBORw0K".repeat(IMAGE_BYTES / 8)}"}}]},${messages.slice(1)}}`,
  },
  {
    name: "long-conversation",
    title: "a conversation of 2,000 messages passes",
    why: "agents have long conversations; a gateway that limits the number of messages would reject them",
    body: buildLongConversation,
  },
];

function toCheck({ name, title, why, body, deadlineMs }: Vector): Check {
  return {
    id: `request/${name}`,
    title,
    why,
    expected: "upstream gets the bytes that the client sent",
    ...(deadlineMs !== undefined && { deadlineMs }),
    run: async (harness: Harness) => {
      const sent = body(harness.messages);
      const call = harness.send({ body: sent });
      const { body: received } = await harness.waitForUpstream(call, deadlineMs);
      return compareBytes("the request", sent, received);
    },
  };
}

/** Checks with requests that the gateway must not change, because their model id lacks the optional prefix. */
export const REQUEST_CHECKS: readonly Check[] = [...NUMBERS, ...STRUCTURE, ...STRINGS, ...LARGE].map(toCheck);
