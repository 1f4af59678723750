/**
 * The text of a shape as EXPLAIN (GENERIC_PLAN) takes it: `$1`, `$2` … where it has `?`.
 * @returns `undefined` if it was cut, or if it is not certain to be one statement
 */
export function genericText(shape: string): string | undefined {
  // It goes by the simple protocol, where a second statement could ride along.
  if (shape.endsWith('…') || shape.includes(';')) {
    return undefined;
  }
  let count = 0;
  return shape.replace(/"(?:[^"]|"")*"|[^"?]+|\?[|&]?/g, (part, at: number) =>
    part === '?' && !followsOperand(shape, at) ? `$${++count}` : part,
  );
}

/** After a column or a closed parenthesis `?` is an operator of jsonb. */
function followsOperand(shape: string, at: number): boolean {
  const before = shape
    .slice(Math.max(0, at - 20), at)
    .trimEnd()
    .at(-1);
  return before === '"' || before === ')' || before === ']' || before === '?';
}
