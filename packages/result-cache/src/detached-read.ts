import type { ReadContext } from './read-context.ts';
import type { Form } from './read-form.ts';
import type { DriverRead } from './seam/driver-reads.ts';
import { typedText } from './typed-text.ts';

/** A statement that is under way, and the session context that it was sent with. */
export interface Loading {
  readonly rows: Promise<unknown>;
  readonly session: unknown;
}

/** Reads the same for nobody in particular, if it still is the same. @throws if it is not */
export async function detached(context: ReadContext, read: DriverRead, form: Form): Promise<Loading> {
  const { ctx: _ctx, signal: _signal, ...options } = read.options;
  const capture = await read.capture({ ...options, connectionType: 'write' });
  if (capture.statement === undefined) {
    return { rows: capture.result, session: undefined };
  }
  const { sql, params, session } = capture.statement;
  const values = typedText(params);
  const same =
    values === undefined ? context.formatted(sql, params) === form.sql : sql === form.sql && values === form.params;
  if (!same) {
    throw new Error('the call comes down to another statement by now');
  }
  capture.statement.proceed(context.primary());
  return { rows: capture.result, session };
}
