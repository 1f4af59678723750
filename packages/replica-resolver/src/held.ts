/**
 * Waits, and keeps the process alive meanwhile. Probes and their timers do not, or a script that forgets `orm.close()` would
 * never end; but what a user waits for has to come.
 */
export async function held<T>(work: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, 2 ** 30);
  try {
    return await work;
  } finally {
    clearInterval(hold);
  }
}
