/** Formats the path of a field for `param` of an error, such as `messages[0].content`. */
export function formatParamPath(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  return steps.join("").slice(1);
}
