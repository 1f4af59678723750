import { isPlanJson } from './plan-json.ts';
import { visits } from './plan-walk.ts';
import { coldCache } from './rules/cold-cache.ts';
import { deepOffset } from './rules/deep-offset.ts';
import { estimateOff } from './rules/estimate-off.ts';
import { heapFetches } from './rules/heap-fetches.ts';
import { indexScanFilter } from './rules/index-scan-filter.ts';
import { jit } from './rules/jit.ts';
import { lossyBitmap } from './rules/lossy-bitmap.ts';
import { nestedSeqScan } from './rules/nested-seq-scan.ts';
import type { PlanRule, Remark, RuleContext } from './rules/rule.ts';
import { seqScanFilter } from './rules/seq-scan-filter.ts';
import { sortedLimit } from './rules/sorted-limit.ts';
import { spilled } from './rules/spilled.ts';

/** A remark, of which rule and of which node. */
export interface PlacedRemark extends Remark {
  readonly rule: string;
  /** As in `Visit`. */
  readonly index: number;
}

/** What may be wrong with a plan. Names are part of findings' ids: they stay. */
const RULES: readonly (readonly [name: string, rule: PlanRule])[] = [
  ['seq-scan-filter', seqScanFilter],
  ['nested-seq-scan', nestedSeqScan],
  ['index-scan-filter', indexScanFilter],
  ['sorted-limit', sortedLimit],
  ['deep-offset', deepOffset],
  ['spilled', spilled],
  ['lossy-bitmap', lossyBitmap],
  ['estimate-off', estimateOff],
  ['heap-fetches', heapFetches],
  ['jit', jit],
  ['cold-cache', coldCache],
];

/** Everything the rules have to say of a masked plan. Thresholds are those of the rules' files. */
export function remarksOn(context: RuleContext): readonly PlacedRemark[] {
  const root = context.plan['Plan'];
  const all = isPlanJson(root) ? visits(root) : [];
  return RULES.flatMap(([rule, look]) =>
    all.flatMap(visit => {
      const remark = look(visit, context);
      return remark ? [{ ...remark, rule, index: visit.index }] : [];
    }),
  );
}
