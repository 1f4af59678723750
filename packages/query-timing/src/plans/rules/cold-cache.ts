import { amount } from '../plan-json.ts';
import type { PlanRule } from './rule.ts';
import { bytesOf } from './words.ts';

/** At least 1,000 blocks came from outside of the server's cache, ten times as many as from within. No index is to blame. */
export const coldCache: PlanRule = ({ node, parent }) => {
  const read = amount(node, 'Shared Read Blocks');
  const hit = amount(node, 'Shared Hit Blocks');
  if (parent || read < 1_000 || read < 10 * hit) {
    return undefined;
  }
  return {
    text: `${bytesOf(read)} came from outside of shared_buffers and ${bytesOf(hit)} from within: the cache was cold, the next time may be faster.`,
    relation: undefined,
    severity: 'info',
    fix: undefined,
  };
};
