import { conditions } from '../conditions.ts';
import { type PlanJson, text } from '../plan-json.ts';
import { typeOf } from '../plan-tree.ts';

/** `200,000`; fractions only of small numbers. */
export function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });
}

/** `1 row`, `200 rows`. */
export function rows(value: number): string {
  return `${count(value)} row${value === 1 ? '' : 's'}`;
}

/** `Seq Scan on book`. */
export function named(node: PlanJson): string {
  const relation = text(node, 'Relation Name');
  return relation === undefined ? typeOf(node) : `${typeOf(node)} on ${relation}`;
}

/** `author_id, created_at` of a condition, `its condition` if no column can be told. */
export function columnsOf(expression: string | undefined): string {
  const columns = new Set(conditions(expression ?? '').map(({ column }) => column.column));
  return [...columns].join(', ') || 'its condition';
}

/** Of blocks of 8 kB. */
export function bytesOf(blocks: number): string {
  return kilobytes(blocks * 8);
}

export function kilobytes(value: number): string {
  return value >= 1_048_576
    ? `${count(value / 1_048_576)} GB`
    : value >= 1_024
      ? `${count(value / 1_024)} MB`
      : `${count(value)} kB`;
}

/** An identifier for SQL that is shown. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
