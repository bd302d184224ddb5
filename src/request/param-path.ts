/** Formats the path of a field, such as `messages[0].content`, for the `param` of an error. */
export function formatParamPath(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  return steps.join("").slice(1);
}
