import type { Finding } from '../finding.ts';
import { fileOf } from './file-of.ts';
import { type Baseline, type KnownFinding, LONGEST } from './known-finding.ts';

/**
 * What is known, and what was found: all of both, each once. Counts only grow, so that the order of runs does not matter.
 * @param folder what files are named relative to
 */
export function mergeBaseline(before: readonly KnownFinding[], findings: readonly Finding[], folder: string): Baseline {
  const known = new Map(before.map(each => [each.id, each]));
  for (const finding of findings) {
    const count = Math.max(known.get(finding.id)?.count ?? 0, finding.count);
    known.set(finding.id, { ...knownOf(finding, folder), count });
  }
  return { version: 1, findings: [...known.values()].toSorted(inOrder) };
}

function knownOf({ id, kind, subject, site, count }: Finding, folder: string): KnownFinding {
  return {
    id: id.slice(0, LONGEST),
    kind,
    sql: subject.slice(0, LONGEST),
    ...(site !== undefined && { file: fileOf(site, folder).slice(0, LONGEST) }),
    ...(site?.function !== undefined && { function: site.function.slice(0, LONGEST) }),
    count,
  };
}

/** Not by the language of the machine: the file would change from one to the next. */
function inOrder(a: KnownFinding, b: KnownFinding): number {
  const [before, after] = [keyOf(a), keyOf(b)];
  const index = before.findIndex((part, at) => part !== after[at]);
  return index === -1 ? 0 : (before[index] as string) < (after[index] as string) ? -1 : 1;
}

function keyOf({ file, function: name, kind, id }: KnownFinding): readonly string[] {
  return [file ?? '', name ?? '', kind, id];
}
