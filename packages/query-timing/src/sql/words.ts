import type { StatementKind } from './scan.ts';
import { wordHashes } from './word-hash.ts';

/*
 * The words that mean something to the scanner. Each has a number, by which it is told apart; so have the other things that
 * may stand before a piece of a statement. All other words are names to it.
 */

/** A value may stand behind it: a minus there is a sign, a parenthesis a list. */
export const OPERAND = 1;
/** `TableReader` has a rule for it. */
export const STEERS = 2;
/** Ends the list of tables. */
export const ENDS = 4;
/** Stands between the word that announces a table, or a name of `with`, and its name. */
export const BETWEEN = 8;
/** Where a table is expected it is one. */
export const NAME = 16;
/** A statement with it may change something. */
export const CHANGES = 32;
/** `null`, `true`, `false` */
export const LITERAL = 64;

const WORDS: readonly (readonly [flags: number, words: string])[] = [
  [0, 'as is'],
  [BETWEEN | OPERAND, 'not'],
  [OPERAND, 'and or in any some all like ilike similar between distinct then else case'],
  [OPERAND | STEERS, 'select values from using on'],
  [OPERAND | ENDS, 'where having limit offset returning fetch set when by'],
  [ENDS, 'group order union except intersect window for'],
  [STEERS | CHANGES, 'insert update delete merge into'],
  [STEERS, 'join table with rows ordinality truncate call'],
  [BETWEEN, 'only lateral recursive if exists temp temporary unlogged'],
  [LITERAL, 'null true false'],
  [NAME, 'do key share no default array transaction to'],
  [NAME, 'begin start commit end rollback abort savepoint release prepare show reset'],
  [NAME, 'create alter drop comment grant revoke reindex security'],
];

const LIST: readonly string[] = WORDS.flatMap(([, words]) => words.split(' '));

/** Of the things that are no words of the list. */
export const PLAIN_NAME = 0;
export const START = 1;
export const OPENED = 2;
export const CLOSED = 3;
export const SEPARATED = 4;
export const OPERATOR = 5;
export const POINT = 6;
export const CAST = 7;
export const VALUE = 8;
export const STRING = 9;
export const OPENED_BRACKET = 10;
export const ANYTHING = 11;
const FIRST = 12;

function numberOf(word: string): number {
  return FIRST + LIST.indexOf(word);
}

export const ALL: number = numberOf('all');
export const ANY: number = numberOf('any');
export const ARRAY: number = numberOf('array');
export const AS: number = numberOf('as');
export const CALL: number = numberOf('call');
export const DELETE: number = numberOf('delete');
export const DISTINCT: number = numberOf('distinct');
export const DO: number = numberOf('do');
export const FALSE: number = numberOf('false');
export const FOR: number = numberOf('for');
export const FROM: number = numberOf('from');
export const IN: number = numberOf('in');
export const INSERT: number = numberOf('insert');
export const INTO: number = numberOf('into');
export const IS: number = numberOf('is');
export const JOIN: number = numberOf('join');
export const KEY: number = numberOf('key');
export const MERGE: number = numberOf('merge');
export const NOT: number = numberOf('not');
export const NULL: number = numberOf('null');
export const ON: number = numberOf('on');
export const ORDINALITY: number = numberOf('ordinality');
export const PREPARE: number = numberOf('prepare');
export const RELEASE: number = numberOf('release');
export const ROWS: number = numberOf('rows');
export const SAVEPOINT: number = numberOf('savepoint');
export const SELECT: number = numberOf('select');
export const SET: number = numberOf('set');
export const SHARE: number = numberOf('share');
export const SOME: number = numberOf('some');
export const TABLE: number = numberOf('table');
export const THEN: number = numberOf('then');
export const TO: number = numberOf('to');
export const TRANSACTION: number = numberOf('transaction');
export const TRUE: number = numberOf('true');
export const TRUNCATE: number = numberOf('truncate');
export const UPDATE: number = numberOf('update');
export const USING: number = numberOf('using');
export const VALUES: number = numberOf('values');
export const WITH: number = numberOf('with');

/** By number. */
const FLAGS = Uint8Array.from([
  ...Array.from({ length: FIRST }, (_, number) =>
    [START, OPENED, SEPARATED, OPERATOR, OPENED_BRACKET].includes(number) ? OPERAND : 0,
  ),
  ...WORDS.flatMap(([flags, words]) => words.split(' ').map(() => flags)),
]);

/** A hash table with open addressing: three numbers for each place, both hashes of a word and its number, or zeros. */
const PLACES = 512;
const TABLE_OF_WORDS = new Int32Array(PLACES * 3);
for (const [index, word] of LIST.entries()) {
  const [a, b] = wordHashes(word);
  let place = placeOf(a);
  while (TABLE_OF_WORDS[place + 2] !== 0) {
    place = (place + 3) % TABLE_OF_WORDS.length;
  }
  TABLE_OF_WORDS.set([a, b, FIRST + index], place);
}

function placeOf(a: number): number {
  return (a >>> 23) * 3;
}

/** The number of a word by its hashes, `PLAIN_NAME` if it is not in the list. */
export function wordNumber(a: number, b: number): number {
  for (let place = placeOf(a); ; place = (place + 3) % TABLE_OF_WORDS.length) {
    const number = TABLE_OF_WORDS[place + 2]!;
    if (number === 0 || (TABLE_OF_WORDS[place] === a && TABLE_OF_WORDS[place + 1] === b)) {
      return number;
    }
  }
}

/** A word of the list. */
export function wordText(number: number): string {
  return LIST[number - FIRST]!;
}

/** Whether a value may stand behind it. */
export function takesOperand(before: number): boolean {
  return (FLAGS[before]! & OPERAND) !== 0;
}

/** What is to be done about a word: a sum of `OPERAND`, `STEERS` and the others. */
export function flagsOf(word: number): number {
  return FLAGS[word]!;
}

/** Whether it is a word of the list. */
export function isListed(before: number): boolean {
  return before >= FIRST;
}

/** Whether it begins what `with` is for. */
export function beginsMain(word: number): boolean {
  return (FLAGS[word]! & CHANGES) !== 0 ? word !== INTO : word === SELECT || word === VALUES || word === TABLE;
}

/** What a statement is that begins with a word; `with` does not tell. */
const KINDS: readonly (readonly [kind: StatementKind, words: string])[] = [
  ['select', 'select values table'],
  ['insert', 'insert'],
  ['update', 'update'],
  ['delete', 'delete'],
  ['merge', 'merge'],
  ['call', 'call'],
  ['ddl', 'create alter drop truncate comment grant revoke reindex security'],
  ['transaction', 'begin start commit end rollback abort savepoint release'],
  ['setting', 'set reset show'],
];
const KIND_OF: readonly StatementKind[] = Array.from(
  { length: FIRST + LIST.length },
  (_, number) => KINDS.find(([, words]) => words.split(' ').includes(LIST[number - FIRST] ?? ''))?.[0] ?? 'other',
);

/** What a statement is that begins with it. */
export function kindOf(word: number): StatementKind {
  return KIND_OF[word]!;
}
