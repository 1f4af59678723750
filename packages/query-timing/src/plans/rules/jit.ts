import { isPlanJson, maybe, type PlanJson } from '../plan-json.ts';
import type { PlanRule } from './rule.ts';
import { count } from './words.ts';

/** More than a fifth of the time went into compiling. Known only where times are measured (`log_timing`, TIMING ON). */
export const jit: PlanRule = ({ parent }, { plan }) => {
  const total = jitTime(plan['JIT']);
  const execution = maybe(plan, 'Execution Time') ?? 0;
  if (parent || total <= 0.2 * execution || execution === 0) {
    return undefined;
  }
  return {
    text:
      `JIT compilation took ${count(total)} of ${count(execution)} ms (${count(Math.round((100 * total) / execution))} %): ` +
      'the query is too short for it.',
    relation: undefined,
    severity: 'warning',
    fix: 'set jit = off;  -- for this role, or raise jit_above_cost',
  };
};

function jitTime(value: unknown): number {
  const timing = isPlanJson(value) ? value['Timing'] : undefined;
  return isPlanJson(timing) ? total(timing['Total']) : 0;
}

function total(value: unknown): number {
  return typeof value === 'number' ? value : isPlanJson(value) ? (maybe(value as PlanJson, 'Total') ?? 0) : 0;
}
