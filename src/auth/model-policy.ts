/**
 * Whether a key may use a model.
 * @param models globs, of which `*` is any run of characters but for `@`: what follows that names a preset, and a preset can
 * choose another model. null allows everything. @param model without the optional prefix.
 */
export function allowsModel(models: readonly string[] | null, model: string): boolean {
  if (models === null) return true;
  const segments = model.split("@");
  return models.some((glob) => matches(partsOf(glob), segments));
}

/** The texts between the stars of a glob, for each segment between its `@`. */
type Parts = readonly (readonly string[])[];

const remembered = new Map<string, Parts>();
const REMEMBERED_MAX = 10_000;

function partsOf(glob: string): Parts {
  const known = remembered.get(glob);
  if (known) return known;
  const parts = glob.split("@").map((segment) => segment.split("*"));
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  remembered.set(glob, parts);
  return parts;
}

/** A star takes no `@`, so each of the model's stands for one of the glob's, and what is between them can be compared. */
function matches(parts: Parts, segments: readonly string[]): boolean {
  return (
    parts.length === segments.length && parts.every((texts, index) => fits(texts, segments[index] ?? ""))
  );
}

/** Each text at its first place behind the one before: a regular expression would try all places, for ever on a long name. */
function fits(texts: readonly string[], segment: string): boolean {
  const first = texts[0] ?? "";
  if (texts.length === 1) return segment === first;
  const last = texts.at(-1) ?? "";
  const end = segment.length - last.length;
  if (!segment.startsWith(first) || end < first.length || !segment.endsWith(last)) return false;
  let at = first.length;
  for (const text of texts.slice(1, -1)) {
    const found = segment.indexOf(text, at);
    if (found === -1 || found + text.length > end) return false;
    at = found + text.length;
  }
  return true;
}
