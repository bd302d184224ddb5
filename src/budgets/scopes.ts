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

/** Describes a scope for the caller of a key, who knows neither ids nor the names of groups. */
export function describeScope(scope: string): string {
  if (scope.startsWith("key:")) return "key";
  return scope.startsWith("group:") ? "key's group" : "end user";
}
