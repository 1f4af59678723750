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
  let afterOperand = false;
  return shape.replace(/"(?:[^"]|"")*"|\\\?[|&]?|\?[|&]?|[^"?\\]+|\\/g, part => {
    if (part.startsWith('\\?')) {
      afterOperand = false;
      return part.slice(1);
    }
    // After a column, a value or a closed parenthesis it is an operator of jsonb.
    if (part === '?' && !afterOperand) {
      afterOperand = true;
      return `$${++count}`;
    }
    if (part.startsWith('?')) {
      afterOperand = false;
    } else if (part.trim() !== '') {
      afterOperand = /[")\]]\s*$/.test(part);
    }
    return part;
  });
}
