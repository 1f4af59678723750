/** What one resource does when the process ends before it was stopped. */
export interface Ending {
  /** On SIGINT, SIGTERM and SIGHUP: there is time to stop in order. */
  stop(): Promise<void>;
  /** On `exit`: no promise will be resolved any more. */
  kill(): void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const endings = new Set<Ending>();

/**
 * Ends a resource with the process: on a signal, an uncaught error, `process.exit()` or simply the end of the program.
 * Returns the function to call once the resource has been stopped in the ordinary way.
 */
export function atExit(ending: Ending): () => void {
  if (endings.size === 0) {
    listen();
  }
  endings.add(ending);
  return () => {
    if (endings.delete(ending) && endings.size === 0) {
      unlisten();
    }
  };
}

function listen(): void {
  // First in line, so that we see every other listener, `once` ones included, when we count them.
  signals.forEach(signal => process.prependListener(signal, onSignal));
  process.on('exit', onExit);
}

function unlisten(): void {
  signals.forEach(signal => process.off(signal, onSignal));
  process.off('exit', onExit);
}

function onSignal(signal: NodeJS.Signals): void {
  // Whoever else listens decides when the process ends; without us and without them the signal would have ended it.
  const ours = process.listenerCount(signal) === 1;
  const stopped = Promise.allSettled([...endings].map(ending => ending.stop()));
  if (ours) {
    void stopped.then(() => {
      unlisten();
      process.kill(process.pid, signal);
    });
  }
}

function onExit(): void {
  for (const ending of endings) {
    ending.kill();
  }
}
