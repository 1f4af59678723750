import type { Statement, Verb } from './model.ts';
import type { Token } from './tokens.ts';

/** Statements that touch no table, by their first word, unless more is said of them below. */
const HARMLESS = new Set([
  'lock',
  'show',
  'listen',
  'unlisten',
  'notify',
  'vacuum',
  'analyze',
  'analyse',
  'deallocate',
  'discard',
  'fetch',
  'close',
  'move',
  'checkpoint',
  'comment',
]);

const DDL = new Set([
  'create',
  'alter',
  'drop',
  'grant',
  'revoke',
  'security',
  'import',
  'reindex',
  'cluster',
  'refresh',
  'reassign',
]);

/** Reads statements that are neither query nor write: transactions, settings, DDL. `undefined` for what is none of them. */
export function readControl(tokens: readonly Token[], from: number, to: number): Statement | undefined {
  const word = (index: number): string => {
    const token = tokens[from + index];
    return token !== undefined && from + index < to && (token.kind === 'word' || token.kind === 'label')
      ? token.text
      : '';
  };
  const name = (index: number): string | undefined => {
    const token = tokens[from + index];
    return token !== undefined &&
      from + index < to &&
      (token.kind === 'word' || token.kind === 'name' || (token.kind === 'label' && index > 1))
      ? token.text
      : undefined;
  };
  const first = word(0);
  switch (first) {
    case 'begin':
      return named('begin', isolation(tokens, from + 1, to));
    case 'start':
      return word(1) === 'transaction' ? named('begin', isolation(tokens, from + 2, to)) : undefined;
    case 'commit':
    case 'end':
      return word(1) === 'prepared'
        ? { verb: 'commit prepared', reads: [], writes: [], opaque: true }
        : named('commit', chains(tokens, from, to) ? 'chain' : undefined);
    case 'abort':
    case 'rollback': {
      if (word(1) === 'prepared') {
        return plain('harmless');
      }
      const to_ = word(1) === 'to' ? 2 : (word(1) === 'work' || word(1) === 'transaction') && word(2) === 'to' ? 3 : 0;
      return to_ === 0
        ? named('rollback', chains(tokens, from, to) ? 'chain' : undefined)
        : named('rollback to', name(word(to_) === 'savepoint' && from + to_ + 1 < to ? to_ + 1 : to_));
    }
    case 'savepoint':
      return named('savepoint', name(1));
    case 'release':
      return named('release', name(word(1) === 'savepoint' && from + 2 < to ? 2 : 1));
    case 'prepare':
      return word(1) === 'transaction' ? plain('prepare transaction') : undefined;
    case 'set':
      return readSet(word, name);
    case 'reset':
      return named('set', settingAt(word, name, 1));
    case 'discard':
      return word(1) === 'all' ? named('set', 'all') : plain('harmless');
    default:
      if (DDL.has(first)) {
        return { verb: 'ddl', reads: [], writes: [], opaque: true };
      }
      return HARMLESS.has(first) ? plain('harmless') : undefined;
  }
}

function plain(verb: Verb): Statement {
  return { verb, reads: [], writes: [], opaque: false };
}

function named(verb: Verb, detail: string | undefined): Statement {
  return detail === undefined ? plain(verb) : { verb, detail, reads: [], writes: [], opaque: false };
}

type At<Text> = (index: number) => Text;

function readSet(word: At<string>, name: At<string | undefined>): Statement {
  const scope = word(1);
  if (scope === 'constraints') {
    return plain('harmless');
  }
  if (scope === 'transaction') {
    return { ...named('set', 'transaction'), local: true };
  }
  if (scope === 'session' && (word(2) === 'characteristics' || word(2) === 'authorization')) {
    return named('set', `session ${word(2)}`);
  }
  // `set session = …` would be a setting of that name.
  const scoped = (scope === 'local' || scope === 'session') && name(2) !== undefined && name(2) !== 'to';
  const setting = named('set', settingAt(word, name, scoped ? 2 : 1));
  return scoped && scope === 'local' ? { ...setting, local: true } : setting;
}

function settingAt(word: At<string>, name: At<string | undefined>, index: number): string | undefined {
  const first = name(index)?.toLowerCase();
  switch (first) {
    case 'time':
      return word(index + 1) === 'zone' ? 'timezone' : first;
    case 'schema':
      return 'search_path';
    case 'names':
      return 'client_encoding';
    case 'xml':
      return 'xmloption';
    case 'session':
      return word(index + 1) === 'authorization' ? 'session authorization' : first;
    case 'transaction':
      return word(index + 1) === 'isolation' ? 'transaction_isolation' : first;
    default: {
      // `set app.tenant = …`
      const part = word(index + 1) === '' ? customPart(name, index) : undefined;
      return part === undefined ? first : `${first}.${part}`;
    }
  }
}

/** Behind a `.`, which is neither word nor name. */
function customPart(name: At<string | undefined>, index: number): string | undefined {
  return name(index + 1) === undefined ? name(index + 2)?.toLowerCase() : undefined;
}

const LEVELS = new Set(['serializable', 'repeatable', 'read']);

function isolation(tokens: readonly Token[], from: number, to: number): string | undefined {
  for (let at = from; at + 2 < to; at++) {
    if (tokens[at]!.text === 'isolation' && tokens[at + 1]!.text === 'level' && LEVELS.has(tokens[at + 2]!.text)) {
      const first = tokens[at + 2]!.text;
      return first === 'serializable' || at + 3 >= to ? first : `${first} ${tokens[at + 3]!.text}`;
    }
  }
  return undefined;
}

/** `and chain`, not `and no chain`. */
function chains(tokens: readonly Token[], from: number, to: number): boolean {
  for (let at = from + 1; at < to; at++) {
    if (tokens[at]!.text === 'chain') {
      return tokens[at - 1]!.text !== 'no';
    }
  }
  return false;
}
