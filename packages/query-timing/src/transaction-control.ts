/** What a text does to the transaction of its connection. */
export interface TransactionControl {
  /** `begin`, `commit`, `rollback`, `savepoint`, `release` …; `undefined` if it does something else first. */
  readonly verb: string | undefined;
  /** Whether it ends one that was open before. */
  readonly ends: boolean;
  /** Whether it begins one, and whether that is open afterwards. */
  readonly begins: boolean;
  readonly leavesOpen: boolean;
}

const VERBS: Readonly<Record<string, string>> = {
  begin: 'begin',
  start: 'begin',
  commit: 'commit',
  end: 'commit',
  rollback: 'rollback',
  abort: 'rollback',
  savepoint: 'savepoint',
  release: 'release',
  prepare: 'prepare',
};

/**
 * Reads a text with one statement, or with several.
 * @param text of a shape: without values and comments
 * @returns `undefined` for one that does nothing to transactions
 */
export function transactionControl(text: string): TransactionControl | undefined {
  let ends = false;
  let begins = false;
  let isOpen = false;
  let isControl = false;
  const statements = text.split(';').map(each => each.trim().toLowerCase());
  for (const statement of statements) {
    const verb = verbOf(statement);
    if (verb === undefined) {
      continue;
    }
    isControl = true;
    if (verb === 'begin') {
      begins = true;
      isOpen = true;
    } else if (endsOne(verb, statement)) {
      ends ||= !isOpen;
      isOpen = CHAINED.test(statement);
      begins ||= isOpen;
    }
  }
  return isControl ? { verb: verbOf(statements[0]!), ends, begins, leavesOpen: isOpen } : undefined;
}

const CHAINED = /\band\s+chain$/;

function verbOf(statement: string): string | undefined {
  const [word = '', next = ''] = statement.split(/\s+/, 2);
  // `prepare` without `transaction` prepares a statement; `commit prepared` ends one of another connection.
  return (word === 'prepare' && next !== 'transaction') || next === 'prepared' ? undefined : VERBS[word];
}

function endsOne(verb: string, statement: string): boolean {
  return verb === 'commit' || verb === 'prepare' || (verb === 'rollback' && !/^\w+(\s+\w+)?\s+to\b/.test(statement));
}
