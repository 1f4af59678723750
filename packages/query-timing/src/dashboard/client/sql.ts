import { h, type VNode } from './vnode.ts';

/** A piece of a statement. */
export interface Token {
  readonly kind: 'keyword' | 'name' | 'text' | 'number' | 'mark' | 'comment' | 'plain' | 'space';
  readonly text: string;
}

const pattern =
  /(?<space>\s+)|(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<text>'(?:[^']|'')*(?:'|$))|(?<name>"(?:[^"]|"")*(?:"|$))|(?<mark>\?|\$\d+|:\w+)|(?<number>\b\d+(?:\.\d+)?\b)|(?<word>[\p{L}_][\p{L}\p{N}_$]*)|(?<plain>[^\s])/gu;

const keywords = new Set(
  (
    'all analyze and any array as asc begin between by call case cast coalesce commit conflict create cross current date ' +
    'default delete desc distinct do drop else end except execute exists explain false fetch filter first following for ' +
    'from full generated group grouping having if ilike in index inner insert intersect interval into is isolation ' +
    'join key last lateral left level like limit lock locked materialized merge natural next not nothing now null nulls of ' +
    'offset on only or order outer over partition preceding primary range read recursive references release returning right ' +
    'rollback row rows savepoint select serializable set share show similar skip some table then to transaction true ' +
    'truncate unbounded union unique update using values view when where window with within without'
  ).split(' '),
);

/** A statement's pieces; together they are its text. For colours: what it does not know is plain. Pure, linear. */
export function sqlTokens(sql: string): readonly Token[] {
  return Array.from(sql.matchAll(pattern), ({ 0: text, groups = {} }) => {
    const word = groups['word'];
    if (word !== undefined) {
      return { kind: keywords.has(word.toLowerCase()) ? 'keyword' : 'plain', text };
    }
    const kind = (['space', 'comment', 'text', 'name', 'mark', 'number'] as const).find(
      each => groups[each] !== undefined,
    );
    return { kind: kind ?? 'plain', text };
  });
}

/** Clauses that begin a line of their own. */
const clauses = new Set(
  'from where order group having limit offset returning values set union intersect except on'.split(' '),
);
const joins = new Set('left right inner full cross join natural'.split(' '));

/** The same, its clauses (outside of parentheses) each on a line of its own. What was on several lines already stays. Pure. */
export function sqlLines(tokens: readonly Token[]): readonly Token[] {
  if (tokens.some(token => token.kind === 'space' && token.text.includes('\n'))) {
    return tokens;
  }
  const lines: Token[] = [];
  let depth = 0;
  let word = '';
  for (const token of tokens) {
    const before = lines.at(-1);
    if (token.kind === 'keyword') {
      const now = token.text.toLowerCase();
      const begins = clauses.has(now) ? now !== 'on' : joins.has(now) && !joins.has(word) && word !== 'outer';
      // `delete from`, `insert … on conflict do update set`, `is distinct from`: those words belong to what stands before.
      const belongs =
        (now === 'from' && (word === 'delete' || word === 'distinct')) || (now === 'set' && word === 'update');
      if (begins && !belongs && depth === 0 && before?.kind === 'space') {
        lines[lines.length - 1] = { kind: 'space', text: '\n' };
      }
      word = now;
    } else if (token.text === '(') {
      depth++;
    } else if (token.text === ')') {
      depth--;
    } else if (token.kind === 'name' || token.kind === 'plain') {
      word = '';
    }
    lines.push(token);
  }
  return lines;
}

/** A statement in colours, as a block. */
export function sqlBlock(sql: string): VNode {
  return h('pre.code.sql', { attributes: { tabindex: 0 } }, h('code', undefined, colored(sqlLines(sqlTokens(sql)))));
}

/** Its beginning, on one line and without colours: there may be hundreds of them. */
export function sqlLine(sql: string): VNode {
  return h('code.line', undefined, sql.slice(0, 240).replace(/\s+/g, ' '));
}

/** Neighbours of one colour become one node. */
function colored(tokens: readonly Token[]): readonly (VNode | string)[] {
  const children: (VNode | string)[] = [];
  let plain = '';
  for (const { kind, text } of tokens) {
    if (kind === 'plain' || kind === 'space' || kind === 'name') {
      plain += text;
    } else {
      children.push(plain, h(`span.${kind}`, undefined, text));
      plain = '';
    }
  }
  return [...children, plain].filter(child => child !== '');
}
