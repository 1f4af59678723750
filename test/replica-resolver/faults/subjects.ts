import type { Options } from '@mikro-orm/postgresql';
import { CommitOutcomeUnknownError, replicaResolver } from '@mikrokit/replica-resolver';
import { now } from './clock.ts';
import type { Journal } from './journal.ts';
import type { Task } from './task.ts';

/** What is examined. */
export interface Examined {
  /** For MikroORM. */
  readonly options: Partial<Options>;
  /** Runs one session that is to see what `token` stands for. */
  session<T>(token: string | undefined, run: () => Promise<T>): Promise<T>;
  /** What the current session has written last. */
  token(): string | undefined;
  /** Whether an error of a write says that nobody knows what became of it. */
  isUnknown(error: unknown): boolean;
  /** Before the first query, once the ORM is there. */
  ready(): Promise<void>;
  /** Notes how many reads are on the primary because no replica may answer them. */
  noteBudget(): void;
}

export function examinedOf(task: Task, journal: Journal): Examined {
  switch (task.subject) {
    case 'mikrokit':
      return ours(task, journal);
    case 'plain':
      return {
        options: {},
        session: (_token, run) => run(),
        token: () => undefined,
        isUnknown: () => false,
        ready: () => Promise.resolve(),
        noteBudget: () => {},
      };
  }
}

function ours({ options }: Task, journal: Journal): Examined {
  const resolver = replicaResolver(options);
  resolver.on('node.state', event => journal.write({ kind: 'node', at: now(), ...event }));
  resolver.on('primary.changed', ({ to }) => journal.write({ kind: 'primary', at: now(), to }));
  return {
    options: { extensions: [resolver] },
    session: (token, run) => resolver.run({ token }, run),
    token: () => resolver.token(),
    isUnknown: error => error instanceof CommitOutcomeUnknownError,
    ready: () => resolver.ready(),
    noteBudget() {
      const { inUse, limit } = resolver.snapshot().fallback;
      if (inUse > 0) {
        journal.write({ kind: 'budget', at: now(), inUse, limit });
      }
    },
  };
}
