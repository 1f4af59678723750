/** Not written yet. */
export async function useAutoExplain(_query: (sql: string) => Promise<unknown>, _slowMs: number): Promise<boolean> {
  return false;
}

/** Not written yet. */
export function planOfNotice(_message: string): { durationMs: number; plan: unknown } | undefined {
  return undefined;
}
