import type { Policy } from './policy.ts';
import type { ReadContext } from './read-context.ts';
import type { Form } from './read-form.ts';
import { typedText } from './typed-text.ts';

/**
 * What the rows of a statement depend on beside it: session contexts and scopes.
 *
 * @returns `''` for none; `undefined` for what cannot be written as a text
 */
export function surroundingsOf(
  context: ReadContext,
  em: object | undefined,
  policy: Policy,
  { scopes }: Form,
): string | undefined {
  const [own, ambient] = context.sessionContextsOf(em);
  for (const session of [own, ambient]) {
    if (session?.variables !== undefined && 'search_path' in session.variables) {
      // Bare names are other tables than their tags would say.
      return undefined;
    }
  }
  const values = [policy.scope, ...scopes].filter(scope => scope !== undefined).map(scope => scope(em));
  return own === undefined && ambient === undefined && values.every(value => value === undefined)
    ? ''
    : typedText([own, ambient, values]);
}

/** Whether a statement was sent with the session context that its EntityManager has. */
export function isSameSession(context: ReadContext, em: object | undefined, sent: unknown): boolean {
  return sent === undefined || typedText(sent) === typedText(context.sessionContextsOf(em)[0]);
}
