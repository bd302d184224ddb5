/** Number of entries that a command reads at once. */
export const PAGE_ROWS = 500;

/** Reads all pages. @param readPage called with the id of the last entry of the previous page. */
export async function readAllPages<T extends { readonly id: string }>(
  readPage: (id: string | undefined) => Promise<T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (let page = await readPage(undefined); page.length > 0; page = await readPage(page.at(-1)?.id))
    found.push(...page);
  return found;
}
