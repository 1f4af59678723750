import type { TerminalOptions } from '../options.ts';

/** How lines are to look. */
export interface TerminalStyle {
  readonly colors: boolean;
  /** Columns of a line, from 20 on. */
  readonly width: number;
  /** The folder that paths are shown relative to. */
  readonly root: string;
}

const LEAST = 20;
const MOST = 1_000;
/** Of what is no terminal: a log, where long lines are no harm. */
const WIDTH_OF_LOG = 200;

/**
 * Asks the stream for its width, and stream and environment for colours: `FORCE_COLOR` decides if it is there, then `NO_COLOR`
 * (not empty) and `TERM=dumb`; else a terminal has colours.
 */
export function terminalStyle(
  stream: Pick<NonNullable<TerminalOptions['stream']>, 'isTTY' | 'columns'>,
  env: Readonly<Record<string, string | undefined>>,
  root: string,
): TerminalStyle {
  const { columns } = stream;
  return {
    colors: hasColors(stream.isTTY === true, env),
    width: Math.min(Math.max(typeof columns === 'number' && columns > 0 ? columns : WIDTH_OF_LOG, LEAST), MOST),
    root,
  };
}

function hasColors(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = env;
  if (FORCE_COLOR !== undefined) {
    return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  }
  return isTerminal && (NO_COLOR ?? '') === '' && TERM !== 'dumb';
}
