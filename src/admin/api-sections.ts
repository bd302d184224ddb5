import { DOCUMENTED_BASE_PATH } from "../endpoints/base-paths.ts";

// The sections of the API reference and the keys that its operations need.

/** Names of the two kinds of keys among the security schemes. */
export const CALLER_KEY = "Caller key";
export const ADMIN_KEY = "Admin key";
const DASHBOARD_SESSION = "Dashboard session";

/** Security schemes of OpenAPI 3.1 by name. */
export const SECURITY_SCHEMES = {
  [CALLER_KEY]: {
    type: "http",
    scheme: "bearer",
    description: `A key with the role caller, for the operations below ${DOCUMENTED_BASE_PATH} and /anthropic/v1. Clients of Anthropic's API may send it as x-api-key.`,
  },
  [ADMIN_KEY]: {
    type: "http",
    scheme: "bearer",
    description: "A key with the role admin, for the operations below /admin/v1.",
  },
  [DASHBOARD_SESSION]: {
    type: "apiKey",
    in: "cookie",
    name: "sluice_session",
    description:
      "Signing in at /dashboard sets this cookie, which the browser sends by itself: the operations below /admin/v1 then need no key here.",
  },
} as const;

interface Section {
  /** Tag in the schemas of the routes. */
  readonly tag: string;
  readonly name: string;
  readonly description: string;
}

/** The sections in the order in which a reader needs them. */
export const SECTIONS: readonly Section[] = [
  {
    tag: "models",
    name: "Requests to models",
    description: "Call a model. OpenRouter charges for these requests. Caller key.",
  },
  {
    tag: "catalog",
    name: "Model catalog",
    description: "Models, prices and providers that a key may use. Caller key.",
  },
  { tag: "key", name: "Own key", description: "Budget and usage of the key of the request. Caller key." },
  { tag: "keys", name: "Admin: keys", description: "Create, change, rotate and revoke keys. Admin key." },
  { tag: "groups", name: "Admin: groups", description: "Limits that several keys share. Admin key." },
  {
    tag: "usage",
    name: "Admin: usage and requests",
    description: "Reports and the rows of the ledger. Admin key.",
  },
  {
    tag: "health",
    name: "Admin: health",
    description: "State, configuration and alerts of the gateway. Admin key.",
  },
  {
    tag: "checks",
    name: "Checks",
    description: "Tests of the gateway and of the proxies before it. No key, except for the test stream.",
  },
];

const NAMES: ReadonlyMap<string, string> = new Map(SECTIONS.map(({ tag, name }) => [tag, name]));

interface Operation {
  tags?: readonly string[];
  security?: readonly Readonly<Record<string, readonly string[]>>[];
}

/** Assigns each operation to its section, and states the kind of key that it needs, in place. @param paths of OpenAPI 3.1. */
export function assignSections(paths: object): void {
  for (const [path, item] of Object.entries(paths))
    for (const operation of Object.values(item as Readonly<Record<string, Operation>>)) {
      operation.tags = operation.tags?.map((tag) => NAMES.get(tag) ?? tag) ?? [];
      operation.security ??= path.startsWith("/admin/")
        ? [{ [ADMIN_KEY]: [] }, { [DASHBOARD_SESSION]: [] }]
        : [{ [CALLER_KEY]: [] }];
    }
}
