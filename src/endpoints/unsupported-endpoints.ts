/** An endpoint of OpenAI's, Anthropic's or OpenRouter's API that clients request and the gateway does not have. */
export interface UnsupportedEndpoint {
  /** First segments of the path below a base path. A last segment `:id` matches any segment. */
  readonly path: string;
  /** Name of the API, for error messages. */
  readonly name: string;
  /** Status of the error, if it is not 400. */
  readonly status?: number;
}

const ACCOUNT = "access to the OpenRouter account";

/** OpenRouter's endpoints about the account, its keys and its usage. They are never relayed. */
const ACCOUNT_PATHS = [
  "activity",
  "analytics",
  "auth",
  "benchmarks",
  "byok",
  "classifications",
  "credits/:id",
  "datasets",
  "guardrails",
  "keys",
  "observability",
  "organization",
  "presets",
  "scim",
  "workspaces",
];

/** Every known endpoint that the gateway does not have. */
export const UNSUPPORTED_ENDPOINTS: readonly UnsupportedEndpoint[] = [
  // Claude Code and Anthropic's SDKs take a 404 to mean that tokens cannot be counted, and count them themselves.
  { path: "messages/count_tokens", name: "counting of tokens", status: 404 },
  { path: "messages/batches", name: "Message Batches API" },
  { path: "responses/:id", name: "stored responses" },
  { path: "chat/completions/:id", name: "stored chat completions" },
  { path: "generation/:id", name: "contents of generations" },
  { path: "assistants", name: "Assistants API" },
  { path: "threads", name: "Assistants API" },
  { path: "audio", name: "Audio API" },
  { path: "batches", name: "Batch API" },
  { path: "containers", name: "Containers API" },
  { path: "conversations", name: "Conversations API" },
  { path: "evals", name: "Evals API" },
  { path: "files", name: "Files API" },
  { path: "fine_tuning", name: "Fine-tuning API" },
  { path: "images", name: "Images API" },
  { path: "moderations", name: "Moderations API" },
  { path: "realtime", name: "Realtime API" },
  { path: "uploads", name: "Uploads API" },
  { path: "vector_stores", name: "Vector Stores API" },
  { path: "videos", name: "Videos API" },
  ...ACCOUNT_PATHS.map((path) => ({ path, name: ACCOUNT })),
];
