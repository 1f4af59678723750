/**
 * What a failed statement says about the calls that shared it:
 * - `'value'`: one of their values is at fault, the others would succeed;
 * - `'shape'`: probably all of them are, as in a syntax error;
 * - `'shared'`: none of them is, as with a lost connection; another try would only add load.
 */
export type Blame = 'value' | 'shape' | 'shared';

/**
 * Runs a statement for all items and, if it fails, finds the items that fail alone, so that a bad value rejects its own
 * call and no other. Halves are tried in turn: one bad item of n costs about 2·log2(n) more statements.
 *
 * @returns the error of each item that failed; items that are not in the map succeeded
 */
export async function isolate<Item>(
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<void>,
  blame: (error: unknown) => Blame,
): Promise<Map<Item, unknown>> {
  const failed = new Map<Item, unknown>();
  const attempt = async (part: readonly Item[]): Promise<boolean> => {
    try {
      await run(part);
      return true;
    } catch (error) {
      const verdict = part.length === 1 ? 'shared' : blame(error);
      if (verdict === 'shared' || (verdict === 'shape' && (await allSamplesFail(part)))) {
        for (const item of part) {
          failed.set(item, error);
        }
        return false;
      }
      const middle = part.length >> 1;
      await attempt(part.slice(0, middle));
      await attempt(part.slice(middle));
      return false;
    }
  };
  const allSamplesFail = async (part: readonly Item[]): Promise<boolean> => {
    for (const sample of new Set([part[0]!, part[part.length >> 1]!, part[part.length - 1]!])) {
      try {
        await run([sample]);
        return false;
      } catch {
        // One more sample of the shape that fails.
      }
    }
    return true;
  };
  await attempt(items);
  return failed;
}
