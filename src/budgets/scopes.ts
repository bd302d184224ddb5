/** Kinds of scopes whose spending budgets limit. */
export type ScopeKind = "key" | "group" | "end_user";

/** Returns the scope of a key, as stored in the tables of budgets. */
export function toKeyScope(keyId: string): string {
  return `key:${keyId}`;
}

/** Returns the scope of a group of keys. */
export function toGroupScope(groupId: string): string {
  return `group:${groupId}`;
}

/**
 * Returns the scope of an end user of a key. The id of a key contains no slash, so the scope is unambiguous.
 * @param endUser the name as stored in records.
 */
export function toEndUserScope(keyId: string, endUser: string): string {
  return `end_user:${keyId}/${endUser}`;
}

const NAMES = { key: "key", group: "key's group", end_user: "end user" } as const;

/** Describes a scope for the caller of a key, who knows neither ids nor the names of groups. */
export function describeScope(scope: string): string {
  return NAMES[parseScope(scope).kind];
}

/** The parts of a scope. */
export interface ParsedScope {
  readonly kind: ScopeKind;
  /** Id of the key or group; for an end user, the name. */
  readonly id: string;
  /** The key of an end user; undefined for other scopes. */
  readonly keyId: string | undefined;
}

/** Parses a scope, as stored in the tables of budgets. */
export function parseScope(scope: string): ParsedScope {
  const colon = scope.indexOf(":");
  const [kind, rest] = [scope.slice(0, colon) as ScopeKind, scope.slice(colon + 1)];
  if (kind !== "end_user") return { kind, id: rest, keyId: undefined };
  const slash = rest.indexOf("/");
  return { kind, id: rest.slice(slash + 1), keyId: rest.slice(0, slash) };
}
