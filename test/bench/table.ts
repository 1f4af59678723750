/** One line of the result, in the table and in the JSON file alike. */
export interface Row {
  readonly package: string;
  readonly case: string;
  /** Absent when the case failed. */
  readonly figure?: number;
  readonly unit?: string;
  readonly bar: string;
  readonly verdict: 'met' | 'missed' | 'failed';
  /** Why a case failed. */
  readonly error?: string;
}

/** Where and when it was measured. */
export interface Heading {
  readonly date: string;
  readonly node: string;
  readonly postgresql: string;
  readonly cpu: string;
}

/** The heading as one line. */
export function headingLine({ date, node, postgresql, cpu }: Heading): string {
  return `${date} · Node ${node} · PostgreSQL ${postgresql} over loopback · ${cpu}`;
}

/** The rows as a Markdown table, so that it can be pasted where figures are published. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(row => [row.case, figureText(row), row.bar, row.verdict]);
  const all = [['case', 'figure', 'bar', ''], ...cells];
  const widths = [0, 1, 2, 3].map(column => Math.max(3, ...all.map(row => row[column]!.length)));
  const [head, ...body] = all.map(row => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
  const rule = `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`;
  return [head, rule, ...body].join('\n');
}

/** A figure with as many digits as it deserves: three that count, never fewer than stand before the point. */
export function figureText({ figure, unit }: Pick<Row, 'figure' | 'unit'>): string {
  if (figure === undefined) {
    return '–';
  }
  const digits = Math.abs(figure) >= 100 ? figure.toFixed(0) : String(Number(figure.toPrecision(3)));
  return `${digits} ${unit ?? ''}`.trim();
}
