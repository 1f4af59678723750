import { DAY, isObject, number, wrong } from '../checks.ts';
import type { QueryTimingOptions, TerminalOptions } from '../options.ts';

/** `TerminalOptions` with nothing left out. */
export interface ResolvedTerminalOptions {
  readonly scopes: boolean;
  readonly summary: boolean;
  /** In ms. */
  readonly minTime: number;
  readonly stream: NonNullable<TerminalOptions['stream']>;
}

/**
 * What the option `terminal` says.
 * @param environment in development it is on by default
 * @returns `undefined`: nothing is written
 * @throws OptionsError
 */
export function resolveTerminalOptions(
  value: boolean | TerminalOptions | undefined,
  environment: NonNullable<QueryTimingOptions['environment']>,
): ResolvedTerminalOptions | undefined {
  if (value !== undefined && typeof value !== 'boolean' && !isObject(value)) {
    throw wrong('terminal', 'is true, false or its options', value, 'Leave it out for a report in development only.');
  }
  if (value === false || (value === undefined && environment !== 'development')) {
    return undefined;
  }
  const { scopes, summary, minTime, stream, ...rest }: TerminalOptions = isObject(value) ? value : {};
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) {
    throw wrong(
      'terminal',
      'has the options scopes, summary, minTime and stream',
      unknown,
      'Leave it out, or write it as one of those.',
    );
  }
  if (stream !== undefined && !(isObject(stream) && typeof stream.write === 'function')) {
    throw wrong('terminal.stream', 'has a method write(text)', stream, 'Leave it out for process.stderr.');
  }
  return Object.freeze({
    scopes: onUnlessFalse('terminal.scopes', scopes),
    summary: onUnlessFalse('terminal.summary', summary),
    minTime: number('terminal.minTime', minTime, 0, 0, DAY, 'ms'),
    stream: stream ?? process.stderr,
  });
}

function onUnlessFalse(option: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean') {
    throw wrong(option, 'is true or false', value, 'Leave it out for true.');
  }
  return value ?? true;
}
