/**
 * SQL with a comment at its end, or in front of it. SQL that has a comment already, and a text without a statement, stay as
 * they are: two comments confuse whoever reads them on the server.
 *
 * @param hasComment of `scan(sql)`: a look for `--` would be misled by literals
 * @param comment of `comment()`; `''`: nothing is added
 * @param prepend in front, for servers that show only the beginning (`track_activity_query_size`, 1 kB by default)
 */
export function commented(sql: string, hasComment: boolean, comment: string, prepend: boolean): string {
  if (comment === '' || hasComment) {
    return sql;
  }
  const end = endOfStatement(sql);
  if (end === 0) {
    return sql;
  }
  // After a semicolon the comment would be a statement of its own to the server, and belong to none.
  return prepend ? `${comment} ${sql}` : `${sql.slice(0, end)} ${comment}`;
}

/** Where the text ends without its last white space and semicolons. A loop: a pattern would be quadratic in white space. */
function endOfStatement(sql: string): number {
  let end = sql.length;
  while (end > 0 && isFiller(sql.charCodeAt(end - 1))) {
    end -= 1;
  }
  return end;
}

/** What PostgreSQL takes for white space (tab, line feed, vertical tab, form feed, carriage return, space), and `;`. */
function isFiller(code: number): boolean {
  return (code >= 9 && code <= 13) || code === 32 || code === 59;
}
