import { isRaw } from '@mikro-orm/core';
import type { RecordedQuery } from '../harness/recorder.ts';

/** The whole numbers that a statement asks for, be it by `in (1, 2)` or by `= any('{1,2}')`. */
export function keysOf({ params }: Pick<RecordedQuery, 'params'>): number[] {
  return params.flatMap(param =>
    isRaw(param) ? keysOf({ params: param.params }) : String(param).replace(/[{}]/g, '').split(',').map(Number),
  );
}
