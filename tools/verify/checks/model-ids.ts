import { compareBytes } from "../byte-difference.ts";
import type { Check } from "../check.ts";

// The vectors are literals, because a computed rule could have the same fault as the gateway.
type IdVector = readonly [name: string, sent: string, forwarded: string];

const STRIPPED: readonly IdVector[] = [
  ["prefixed", "openrouter/google/gemini-3-flash-preview", "google/gemini-3-flash-preview"],
  ["prefixed-variant", "openrouter/openai/gpt-4o:online", "openai/gpt-4o:online"],
  ["prefixed-author", "openrouter/openrouter/auto", "openrouter/auto"],
  ["prefixed-alias", "openrouter/~openai/gpt-latest", "~openai/gpt-latest"],
  ["prefixed-preset", "openrouter/@preset/x", "@preset/x"],
  ["prefixed-with-preset", "openrouter/openai/gpt-4@preset/x", "openai/gpt-4@preset/x"],
];

const KEPT: readonly IdVector[] = (
  [
    ["bare", "google/gemini-3-flash-preview"],
    ["bare-preset", "@preset/x"],
    ["router", "openrouter/auto"],
    ["router-variant", "openrouter/auto:online"],
    ["router-with-preset", "openrouter/auto@preset/x"],
    ["stealth", "openrouter/horizon-beta"],
    ["other-case", "OpenRouter/openai/x"],
    ["leading-space", " openrouter/openai/x"],
    ["empty-author", "openrouter//x"],
    ["empty-preset", "openrouter/@preset/"],
    ["three-parts", "openrouter/a/b/c"],
    ["prefix-alone", "openrouter/"],
    ["prefix-without-slash", "openrouter"],
  ] as const
).map(([name, id]) => [name, id, id]);

const WHY_STRIPPED =
  "other tools put `openrouter/` in front of the ids of OpenRouter's models; upstream does not know the prefixed id";
const WHY_KEPT =
  "`openrouter/` is a prefix only in front of a complete id; anywhere else, removing it makes the id name another model, or none";

interface Vector {
  readonly name: string;
  readonly title: string;
  readonly why: string;
  /** The parts of the body before and after the messages. */
  readonly sent: readonly [before: string, after: string];
  readonly forwarded: readonly [before: string, after: string];
}

function toVector([name, sent, forwarded]: IdVector): Vector {
  return {
    name,
    title: sent === forwarded ? `"${sent}" stays` : `"${sent}" is forwarded as "${forwarded}"`,
    why: sent === forwarded ? WHY_KEPT : WHY_STRIPPED,
    sent: [`{"model":"${sent}","messages":`, `}`],
    forwarded: [`{"model":"${forwarded}","messages":`, `}`],
  };
}

function toListVector(name: string, title: string, vectors: readonly IdVector[]): Vector {
  const list = (at: 1 | 2): string => vectors.map((vector) => `"${vector[at]}"`).join(",");
  return {
    name,
    title,
    why: "models[] names the fallback models, and the same rule applies to its ids",
    sent: [`{"messages":`, `,"models":[${list(1)}],"model":"openai/gpt-4o"}`],
    forwarded: [`{"messages":`, `,"models":[${list(2)}],"model":"openai/gpt-4o"}`],
  };
}

const LISTS: readonly Vector[] = [
  toListVector("list-prefixed", "every prefixed id in models[] loses its prefix", STRIPPED),
  toListVector("list-kept", "every other id in models[] stays", KEPT),
];

const SPELLINGS: readonly Vector[] = [
  {
    name: "spaced",
    title: "white space around the ids stays when their prefixes are removed",
    why: "the gateway must remove the prefix from the bytes of the body; if it serialises the body again, the white space changes",
    sent: [
      `{ "model" :\t"openrouter/openai/x" , "models":[ "openrouter/a/b" ,\n"c/d" , "openrouter/e/f" ], "messages":`,
      ` }`,
    ],
    forwarded: [`{ "model" :\t"openai/x" , "models":[ "a/b" ,\n"c/d" , "e/f" ], "messages":`, ` }`],
  },
  {
    name: "escaped-slash",
    title: `"openrouter\\/openai\\/x" loses its prefix and keeps its spelling`,
    why: "PHP's json_encode escapes every slash; a gateway that compares raw text misses the prefix",
    sent: [`{"model":"openrouter\\/openai\\/x","messages":`, `,"models":["openrouter\\/a\\/b","c\\/d"]}`],
    forwarded: [`{"model":"openai\\/x","messages":`, `,"models":["a\\/b","c\\/d"]}`],
  },
  {
    name: "escaped-letters",
    title: `"\\u006fpenrouter/openai/x" loses its prefix`,
    why: "an escape and the character that it represents are the same text to a JSON parser",
    sent: [`{"messages":`, `,"model":"\\u006fpenrouter\\u002fopenai/x"}`],
    forwarded: [`{"messages":`, `,"model":"openai/x"}`],
  },
  {
    name: "escaped-key",
    title: `the key "\\u006dodel" is read as model`,
    why: "upstream decodes keys; if the gateway misses an escaped key, a client can evade limits by model",
    sent: [`{ "\\u006dodel" : "openrouter/openai/x" , "messages":`, `}`],
    forwarded: [`{ "\\u006dodel" : "openai/x" , "messages":`, `}`],
  },
];

const UNTOUCHED: readonly (readonly [name: string, where: string, fields: string])[] = [
  ["plugins", "plugins[].model", `"plugins":[{"id":"x","model":"openrouter/openai/x"}]`],
  [
    "allowed-models",
    "plugins[].allowed_models",
    `"plugins":[{"id":"auto-router","allowed_models":["openrouter/openai/x"]}]`,
  ],
  [
    "tool-parameters",
    "a tool's parameters",
    `"tools":[{"type":"function","function":{"name":"f","parameters":{"model":"openrouter/openai/x","models":["openrouter/a/b"]}}}]`,
  ],
  ["provider", "provider", `"provider":{"order":["openrouter/openai/x"],"model":"openrouter/openai/x"}`],
  ["preset", "preset", `"preset":"openrouter/openai/x"`],
  ["metadata", "metadata", `"metadata":{"model":"openrouter/openai/x"}`],
];

function toUntouchedVector(name: string, where: string, fields: string): Vector {
  const whole: Vector["sent"] = [`{${fields},"model":"openai/gpt-4o","messages":`, `}`];
  return {
    name: `untouched-${name}`,
    title: `nothing in ${where} is changed`,
    why: "only the top-level model and models select the model of the request; all other fields are the client's data",
    sent: whole,
    forwarded: whole,
  };
}

const IN_TEXT: Vector = {
  ...toUntouchedVector("text", "text and other fields", ""),
  sent: [
    `{"system":"{\\"model\\":\\"openrouter/openai/x\\"}","user":"openrouter/openai/x","messages":`,
    `,"model":"openrouter/openai/x"}`,
  ],
  forwarded: [
    `{"system":"{\\"model\\":\\"openrouter/openai/x\\"}","user":"openrouter/openai/x","messages":`,
    `,"model":"openai/x"}`,
  ],
};

const IN_MESSAGE: Vector = {
  ...toUntouchedVector("message", "a message's own model", ""),
  sent: [
    `{"messages":[{"role":"assistant","content":"a","model":"openrouter/openai/x"}],"model":"openrouter/a/b","x_last":`,
    `}`,
  ],
  forwarded: [
    `{"messages":[{"role":"assistant","content":"a","model":"openrouter/openai/x"}],"model":"a/b","x_last":`,
    `}`,
  ],
};

function toCheck({ name, title, why, sent, forwarded }: Vector): Check {
  return {
    id: `model/${name}`,
    title,
    why,
    expected: "upstream gets the client's bytes, without the prefix in the ids from which it must be removed",
    run: async (harness) => {
      const call = harness.send({ body: sent.join(harness.messages) });
      const { body } = await harness.waitForUpstream(call);
      return compareBytes("the request", forwarded.join(harness.messages), body);
    },
  };
}

/** Checks that the optional prefix of model ids is removed where it must be, and nowhere else. */
export const MODEL_CHECKS: readonly Check[] = [
  ...[...STRIPPED, ...KEPT].map(toVector),
  ...LISTS,
  ...SPELLINGS,
  ...UNTOUCHED.map((vector) => toUntouchedVector(...vector)),
  IN_TEXT,
  IN_MESSAGE,
].map(toCheck);
