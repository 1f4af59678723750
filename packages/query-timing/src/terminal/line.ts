import { styleText } from 'node:util';
import { columns } from './columns.ts';
import type { TerminalStyle } from './terminal-style.ts';

/** A part of a line, and how it looks. */
export type Piece = string | readonly [text: string, format: Parameters<typeof styleText>[0]];

/** The parts as one text, coloured if there are colours. */
export function line(pieces: readonly Piece[], style: TerminalStyle): string {
  return pieces.map(piece => (style.colors ? painted(piece) : textOf(piece))).join('');
}

/** Columns of all the parts together. */
export function columnsOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + columns(textOf(piece)), 0);
}

function textOf(piece: Piece): string {
  return typeof piece === 'string' ? piece : piece[0];
}

function painted(piece: Piece): string {
  // Whether there are colours has been decided: not once more for a stream that is not the one written to.
  return typeof piece === 'string' ? piece : styleText(piece[1], piece[0], { validateStream: false });
}
