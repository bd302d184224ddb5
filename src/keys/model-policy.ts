/**
 * Whether a key may use a model.
 * @param models globs, of which `*` is any run of characters but for `@`: what follows that names a preset, and a preset can
 * choose another model. null allows everything. @param model without the optional prefix.
 */
export function allowsModel(models: readonly string[] | null, model: string): boolean {
  return models === null || models.some((glob) => expressionOf(glob).test(model));
}

const expressions = new Map<string, RegExp>();
const REMEMBERED = 10_000;

function expressionOf(glob: string): RegExp {
  const known = expressions.get(glob);
  if (known) return known;
  // Several stars in a row are one: apart, they would make a hostile glob take for ever.
  const source = glob
    .split(/\*+/)
    .map((text) => RegExp.escape(text))
    .join("[^@]*");
  const expression = new RegExp(`^${source}$`);
  if (expressions.size >= REMEMBERED) expressions.clear();
  expressions.set(glob, expression);
  return expression;
}
