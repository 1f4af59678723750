import { parseSync } from 'libpg-query';

/** What PostgreSQL's own parser says of a text. */
export interface ParsedTables {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Functions called by name, with their schema if they have one. */
  readonly calls: readonly string[];
  /** `table column value` of each equality that every row must meet, as {@link asFact} writes it. */
  readonly facts: ReadonlySet<string>;
  readonly statements: number;
}

type Tree = Readonly<Record<string, unknown>>;
type Names = ReadonlySet<string>;

interface Found {
  readonly reads: string[];
  readonly writes: string[];
  readonly calls: string[];
  readonly facts: Set<string>;
}

/** Reads the tree of a text. Throws what the parser throws. */
export function parseTables(sql: string): ParsedTables {
  const found: Found = { reads: [], writes: [], calls: [], facts: new Set() };
  const { stmts = [] } = parseSync(sql) as { stmts?: readonly unknown[] };
  stmts.forEach(statement => visit(statement, new Set(), found));
  return { ...found, statements: stmts.length };
}

/** One equality of one table, for comparison. */
export function asFact(table: string, column: string, values: readonly string[]): string {
  return `${table}.${column}=${values.join('|')}`;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function nameOf(range: Tree): string {
  const { schemaname, relname } = range as { schemaname?: string; relname: string };
  return schemaname === undefined ? relname : `${schemaname}.${relname}`;
}

function visit(node: unknown, ctes: Names, found: Found): void {
  if (Array.isArray(node)) {
    node.forEach(item => visit(item, ctes, found));
    return;
  }
  if (!isTree(node)) {
    return;
  }
  for (const [key, value] of Object.entries(node)) {
    switch (key) {
      case 'SelectStmt':
      case 'larg':
      case 'rarg':
      case 'InsertStmt':
      case 'UpdateStmt':
      case 'DeleteStmt':
      case 'MergeStmt':
        visitStatement(key, value as Tree, ctes, found);
        break;
      case 'TruncateStmt':
        list((value as Tree)['relations']).forEach(item =>
          found.writes.push(nameOf((item as Tree)['RangeVar'] as Tree)),
        );
        break;
      case 'CopyStmt': {
        const { relation, is_from, query } = value as Tree;
        if (isTree(relation)) {
          (is_from === true ? found.writes : found.reads).push(nameOf(relation));
        }
        visit(query, ctes, found);
        break;
      }
      case 'RangeVar': {
        const range = value as Tree;
        if (range['schemaname'] !== undefined || !ctes.has(String(range['relname']))) {
          found.reads.push(nameOf(range));
        }
        break;
      }
      case 'FuncCall': {
        const call = value as Tree;
        if (call['funcformat'] === 'COERCE_EXPLICIT_CALL') {
          found.calls.push(
            list(call['funcname'])
              .map(part => text(part))
              // What has a dot in it is not two.
              .map(part => (part.includes('.') ? `"${part}"` : part))
              .join('.'),
          );
        }
        visit(value, ctes, found);
        break;
      }
      default:
        visit(value, ctes, found);
    }
  }
}

function visitStatement(kind: string, statement: Tree, outer: Names, found: Found): void {
  let ctes = outer;
  const clause = statement['withClause'];
  if (isTree(clause)) {
    const bodies = list(clause['ctes']).map(item => (item as Tree)['CommonTableExpr'] as Tree);
    if (clause['recursive'] === true) {
      ctes = new Set([...outer, ...bodies.map(body => String(body['ctename']))]);
    }
    for (const body of bodies) {
      visit(body['ctequery'], ctes, found);
      ctes = new Set([...ctes, String(body['ctename'])]);
    }
  }
  const { withClause: _with, relation, intoClause: _into, ...rest } = statement;
  const items: { name: string; table: string | undefined }[] = [];
  if (isTree(relation)) {
    found.writes.push(nameOf(relation));
    if (kind !== 'InsertStmt') {
      found.reads.push(nameOf(relation));
      items.push({ name: aliasOf(relation) ?? String(relation['relname']), table: nameOf(relation) });
    }
  }
  for (const item of [...list(rest['fromClause']), ...list(rest['usingClause'])]) {
    collect(item, ctes, items);
  }
  facts(rest['whereClause'], items, found.facts);
  visit(rest, ctes, found);
}

function aliasOf(range: Tree): string | undefined {
  const alias = range['alias'];
  return isTree(alias) ? String(alias['aliasname']) : undefined;
}

function collect(node: unknown, ctes: Names, items: { name: string; table: string | undefined }[]): void {
  if (!isTree(node)) {
    return;
  }
  const [[kind, value]] = Object.entries(node) as [[string, Tree]];
  if (kind === 'RangeVar') {
    const isCte = value['schemaname'] === undefined && ctes.has(String(value['relname']));
    const renamed = isTree(value['alias']) && value['alias']['colnames'] !== undefined;
    items.push({
      name: aliasOf(value) ?? String(value['relname']),
      table: isCte || renamed ? undefined : nameOf(value),
    });
  } else if (kind === 'JoinExpr') {
    if (isTree(value['alias'])) {
      items.push({ name: String(value['alias']['aliasname']), table: undefined });
    } else {
      collect(value['larg'], ctes, items);
      collect(value['rarg'], ctes, items);
    }
  } else {
    items.push({ name: aliasOf(value) ?? '', table: undefined });
  }
}

/** Adds the equalities that a condition consists of. */
function facts(node: unknown, items: readonly { name: string; table: string | undefined }[], found: Set<string>): void {
  if (!isTree(node)) {
    return;
  }
  const bool = node['BoolExpr'];
  if (isTree(bool) && bool['boolop'] === 'AND_EXPR') {
    list(bool['args']).forEach(item => facts(item, items, found));
    return;
  }
  const expression = node['A_Expr'];
  if (!isTree(expression)) {
    return;
  }
  const operator = list(expression['name']).map(text).join('.');
  const isIn = expression['kind'] === 'AEXPR_IN';
  if (operator !== '=' || (!isIn && expression['kind'] !== 'AEXPR_OP')) {
    return;
  }
  const row = rowOf(expression['lexpr']);
  const columns = (row ?? [expression['lexpr']]).map(column);
  const right = expression['rexpr'];
  const rows = isIn && isTree(right) && isTree(right['List']) ? list(right['List']['items']) : [right];
  const tuples = rows
    .map(item => (row ? (rowOf(item) ?? []) : [item]).map(valueText))
    .filter(tuple => !tuple.includes('null'));
  columns.forEach((path, index) => {
    const values = tuples.map(tuple => tuple[index]);
    if (path === undefined || values.length === 0 || values.includes(undefined)) {
      return;
    }
    const table = path.at(-2);
    const named = table === undefined ? items : items.filter(item => item.name === table);
    if (named.length === 1 && named[0]!.table !== undefined) {
      found.add(asFact(named[0]!.table, path.at(-1)!, values as string[]));
    }
  });
}

function rowOf(node: unknown): readonly unknown[] | undefined {
  return isTree(node) && isTree(node['RowExpr']) ? list(node['RowExpr']['args']) : undefined;
}

function column(node: unknown): string[] | undefined {
  const reference = isTree(node) ? node['ColumnRef'] : undefined;
  return isTree(reference) ? list(reference['fields']).map(text) : undefined;
}

function text(node: unknown): string {
  const string = isTree(node) ? node['String'] : undefined;
  return isTree(string) ? String(string['sval']) : '*';
}

function valueText(node: unknown): string | undefined {
  if (!isTree(node)) {
    return undefined;
  }
  if (isTree(node['TypeCast'])) {
    return valueText(node['TypeCast']['arg']);
  }
  if (isTree(node['ParamRef'])) {
    return `$${node['ParamRef']['number']}`;
  }
  const constant = node['A_Const'];
  if (!isTree(constant)) {
    const minus = node['A_Expr'];
    return isTree(minus) && minus['lexpr'] === undefined && text(list(minus['name'])[0]) === '-'
      ? `-${valueText(minus['rexpr'])}`
      : undefined;
  }
  if (constant['isnull'] === true) {
    return 'null';
  }
  for (const key of ['ival', 'fval', 'boolval', 'sval'] as const) {
    const value = constant[key];
    if (isTree(value)) {
      // Protobuf leaves out what is zero, false or empty.
      const own = value[key] as string | number | boolean | undefined;
      return String(own ?? (key === 'ival' ? 0 : key === 'boolval' ? false : ''));
    }
  }
  return undefined;
}
