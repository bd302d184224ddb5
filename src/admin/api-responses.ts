// Schemas of the responses of the endpoints for clients and of the checks. OpenRouter's documents are not described here.

type JsonSchema = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, JsonSchema>>;

const text = (description: string): JsonSchema => ({ type: "string", description });
const optionalText = (description: string): JsonSchema => ({ type: ["string", "null"], description });
const usd = (meaning: string): JsonSchema => ({ type: "number", description: `${meaning} in US dollars` });
const optionalUsd = (meaning: string): JsonSchema => ({
  type: ["number", "null"],
  description: `${meaning} in US dollars; null: the key has no budget`,
});
const flag = (description: string): JsonSchema => ({ type: "boolean", description });
const list = (description: string, items: JsonSchema = { type: "string" }): JsonSchema => ({
  type: "array",
  description,
  items,
});
const object = (description: string, properties: Fields): JsonSchema => ({
  type: "object",
  description,
  properties,
});

/** Describes a JSON response by its meaning and its schema. */
export const describeJson = (
  description: string,
  schema: JsonSchema,
): { description: string; content: object } => ({
  description,
  content: { "application/json": { schema } },
});

/** A document of OpenRouter, which the gateway relays. */
export const OPENROUTER_DOCUMENT: JsonSchema = {
  type: "object",
  description: "OpenRouter's document; its reference describes the fields",
  additionalProperties: true,
};

const ERROR_FIELDS: Fields = {
  message: text("The cause of the error and its remedy"),
  type: text("Kind of the error, such as invalid_request_error"),
  param: optionalText("Path of the invalid field, or the name of the invalid parameter; null: none"),
  code: text("Code of the error; the introduction lists them"),
};

export const ERROR_RESPONSE = describeJson(
  "An error in OpenAI's shape",
  object("An error", { error: object("The error", ERROR_FIELDS) }),
);

export const ANTHROPIC_ERROR_RESPONSE = describeJson(
  "An error in Anthropic's shape",
  object("An error", {
    type: { const: "error", type: "string", description: "Always error" },
    error: object("The error", ERROR_FIELDS),
    request_id: text("Value of the header x-request-id"),
  }),
);

const BOUND = (description: string): JsonSchema => ({
  type: ["object", "null"],
  description: `${description}; null: the cost has no upper bound`,
  properties: {
    nanodollars: { type: "integer", description: "Cost in nanodollars (1e-9 US dollars)" },
    usd: text("The same cost in US dollars: exact, in decimal digits"),
  },
});
const COMPONENT_BOUND = (description: string): JsonSchema => ({
  type: ["object", "null"],
  description,
  properties: {
    quantity: { type: "number", description: "Number of units, such as tokens" },
    unit_price_usd: text("Price of a unit in US dollars: exact, in decimal digits"),
    nanodollars: { type: "integer", description: "Cost in nanodollars (1e-9 US dollars)" },
  },
});

/** The response to a dry run. */
export const COST_ESTIMATE: JsonSchema = object("With dryRun=true: an estimate of the cost", {
  object: { const: "chat.completion.cost_estimate", type: "string", description: "Kind of the document" },
  estimated: { const: true, type: "boolean", description: "Always true: no model was called" },
  model: text("Id of the first model"),
  models: list("Ids of all models that OpenRouter may call"),
  currency: { const: "USD", type: "string", description: "Currency of all amounts" },
  components: list(
    "Parts of the cost",
    object("A part of the cost", {
      model: text("Id of the model"),
      name: text("Kind of the part, such as prompt or completion"),
      lowest: COMPONENT_BOUND("Lower bound of the part"),
      highest: COMPONENT_BOUND("Upper bound of the part; null: it has none"),
    }),
  ),
  lowest: BOUND("Lower bound of the cost"),
  highest: BOUND("Upper bound of the cost"),
  notes: list("Reasons why the cost can differ"),
  prices_as_of: text("Time at which the oldest of the prices was read: ISO 8601, UTC"),
});

const USAGE_FIELDS: Fields = Object.fromEntries(
  (
    [
      ["", "in total"],
      ["_daily", "today (UTC)"],
      ["_weekly", "this week, which began on Monday (UTC)"],
      ["_monthly", "this month (UTC)"],
    ] as const
  ).flatMap(([suffix, period]) => [
    [`usage${suffix}`, usd(`Cost that OpenRouter charged ${period},`)],
    [`byok_usage${suffix}`, usd(`Cost that providers charged with the account's own key (BYOK) ${period},`)],
  ]),
);

/** The response of `/key`. */
export const KEY_STATE: JsonSchema = object("The key, in the shape of OpenRouter's /key", {
  data: object("The key", {
    label: text("Name of the key"),
    creator_user_id: { type: "null", description: "Always null" },
    limit: optionalUsd("Limit of the tightest budget"),
    limit_remaining: optionalUsd("Rest of the tightest budget"),
    limit_reset: optionalText(
      "daily, weekly or monthly: the period of this budget; null: it is never renewed",
    ),
    include_byok_in_limit: flag("Always false: the provider's charges (BYOK) do not count towards budgets"),
    ...USAGE_FIELDS,
    is_free_tier: flag("Always false"),
    is_management_key: flag("Always false"),
    is_provisioning_key: flag("Always false"),
    expires_at: optionalText("The key is refused from then on: ISO 8601, UTC; null: it never expires"),
    rate_limit: object("A constant, which OpenRouter's clients expect", {
      requests: { type: "integer", description: "Always -1: not stated" },
      interval: text("A constant"),
      note: text("A constant"),
    }),
  }),
});

/** The response of `/credits`. */
export const CREDITS: JsonSchema = object("The credits, in the shape of OpenRouter's /credits", {
  data: object("The credits", {
    total_credits: usd("Usage of the key plus the rest of its tightest budget,"),
    total_usage: usd("Usage of the key,"),
  }),
});

/** The response of `/`. */
export const ROOT: JsonSchema = object("The gateway", {
  name: text("Always Sluice"),
  description: text("Purpose of the gateway"),
  base_urls: object("Base URLs for clients", {
    openai: text("Base URL for clients of OpenAI's API"),
    anthropic: text("Base URL for clients of Anthropic's API, which append /v1"),
  }),
  documentation: text("URL of this page"),
});

/** The response of `/healthz`. */
export const LIVENESS: JsonSchema = object("Liveness", { status: text("Always ok") });

/** The response of `/readyz`. */
export const READINESS: JsonSchema = object("Readiness", {
  status: {
    type: "string",
    enum: ["ready", "degraded", "not_ready"],
    description: "degraded: the gateway serves requests while an optional component fails",
  },
  draining: flag("Whether the gateway is shutting down"),
  failing: list("Names of the required components that fail"),
  degraded: list("Names of the optional components that fail"),
});
