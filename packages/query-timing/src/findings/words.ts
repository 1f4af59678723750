/** `10 books`, `1 order line`: of a class or table name. */
export function counted(count: number, name: string): string {
  return `${count} ${count === 1 ? plain(name) : plural(name)}`;
}

/** `books`, `order lines`, `categories`. */
export function plural(name: string): string {
  return several(plain(name));
}

/** What a variable for them may be called: `books`, `orderLines`. */
export function variable(entity: string): string {
  return several(`${entity.charAt(0).toLowerCase()}${entity.slice(1)}`);
}

function several(word: string): string {
  return /(?:[^s]s|news)$/.test(word) && !/(?:us|is)$/.test(word)
    ? word
    : /[^aeiou]y$/.test(word)
      ? `${word.slice(0, -1)}ies`
      : /(?:s|x|z|ch|sh)$/.test(word)
        ? `${word}es`
        : `${word}s`;
}

/** `OrderLine` and `order_line` as people write it. */
function plain(name: string): string {
  return name
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])|_+/g, ' ')
    .trim()
    .toLowerCase();
}

/** µs as people read them: `12.3 ms`. */
export function milliseconds(us: number): string {
  const ms = us / 1000;
  return `${ms >= 100 ? Math.round(ms) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

/** `a`, `a and b`, `a, b and c` */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
