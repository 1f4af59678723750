/** Something the harness cannot do here. The message says what was expected, what was found and what to do about it. */
export class HarnessError extends Error {
  override readonly name = 'HarnessError';
}
