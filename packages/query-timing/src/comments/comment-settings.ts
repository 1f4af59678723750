import { checkBoolean, checkText, isObject, oneOf, wrong } from '../checks.ts';
import type { CommentOptions, QueryTimingOptions } from '../options.ts';

/** The option `comments`, checked, with its defaults. */
export interface CommentSettings {
  readonly mode: 'off' | 'static' | 'full';
  readonly application: string | undefined;
  readonly prepend: boolean;
  readonly tags: CommentOptions['tags'];
}

const modes = ['off', 'static', 'full'] as const;
const names: ReadonlySet<string> = new Set<keyof CommentOptions>(['mode', 'application', 'prepend', 'tags']);

/** Reads the option `comments`. @throws {OptionsError} */
export function commentSettings(comments: QueryTimingOptions['comments']): CommentSettings {
  const options: unknown = comments;
  if (!isObject(options)) {
    return { mode: oneOf('comments', options, 'off', modes), application: undefined, prepend: false, tags: undefined };
  }
  const unknown = Object.keys(options).find(name => !names.has(name));
  if (unknown !== undefined) {
    throw wrong('comments', `has ${[...names].join(', ')}`, options, `Remove ${JSON.stringify(unknown)}.`);
  }
  const { mode, application, prepend, tags } = options as Partial<CommentOptions>;
  if (mode === undefined) {
    throw wrong('comments.mode', `is one of 'off', 'static', 'full'`, mode, `Say 'static' if in doubt.`);
  }
  if (tags !== undefined && typeof tags !== 'function') {
    throw wrong('comments.tags', 'is a function that returns tags', tags, 'Leave it out if there are none.');
  }
  return {
    mode: oneOf('comments.mode', mode, 'off', modes),
    application: checkText('comments.application', application),
    prepend: checkBoolean('comments.prepend', prepend),
    tags,
  };
}
