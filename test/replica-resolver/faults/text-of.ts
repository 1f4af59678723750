/** An error in a few words: its name, its code, the first line of its message. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const { code } = error as { code?: unknown };
  const message = error.message.split('\n')[0]!;
  return `${error.name}${typeof code === 'string' ? ` ${code}` : ''}: ${message}`;
}
