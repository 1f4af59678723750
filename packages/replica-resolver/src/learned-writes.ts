/** So many are remembered. */
const MOST = 1_000;

/** Statements that look like reads and that a replica has refused, since they write: by their text without its values. */
export class LearnedWrites {
  readonly #shapes = new Set<string>();

  has(text: string): boolean {
    return this.#shapes.size > 0 && this.#shapes.has(shapeOf(text));
  }

  add(text: string): void {
    const shape = shapeOf(text);
    // What is added again was added last.
    this.#shapes.delete(shape);
    this.#shapes.add(shape);
    if (this.#shapes.size > MOST) {
      this.#shapes.delete(this.#shapes.values().next().value!);
    }
  }
}

function shapeOf(text: string): string {
  return text.replaceAll(/'(?:[^']|'')*'/g, '?').replaceAll(/\b\d+(?:\.\d+)?\b/g, '?');
}
