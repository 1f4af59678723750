import type { ReportData, ScopeData } from '../../report/json.ts';
import type { Place, View } from './location.ts';

/** Everything that what is shown depends on. Never changed in place. */
export interface State {
  readonly title: string;
  readonly report: ReportData | undefined;
  readonly place: Place;
  /** What rows have to contain. */
  readonly search: string;
  /** How each table is sorted, if somebody has said so. */
  readonly sorts: Readonly<Record<string, Sort>>;
  /** How many findings are shown. */
  readonly shown: number;
  /** Which chunks of each table are near what is looked at, see `chunks.ts`. */
  readonly near: Readonly<Record<string, Near>>;
  /** How high each chunk was when it was drawn last, in px, by the chunk's name. */
  readonly heights: Readonly<Record<string, number>>;
  /** Nodes of plans whose children are hidden. */
  readonly folded: ReadonlySet<string>;
  /** Kind of the findings that are shown; `undefined`: all. */
  readonly kind: string | undefined;
  /** Whether it is drawn for paper: then all of it. */
  readonly printing: boolean;
  readonly zoom: 'whole' | 'queries' | undefined;
  /** `polling`: there are too many live pages. `lost`: the server does not answer. */
  readonly live: 'live' | 'paused' | 'polling' | 'lost';
  /** What the server said last, if it refused. */
  readonly problem: string | undefined;
  readonly theme: Theme;
  /** With records. */
  readonly scopes: ReadonlyMap<number, ScopeData | 'gone'>;
  /** Which button has just copied something, or could not. */
  readonly copied: { readonly key: string; readonly done: boolean } | undefined;
  /** Whether the next press of the button resets. */
  readonly armed: boolean;
  /** In ms: how long the last report took to be read, and to be drawn. */
  readonly read: number;
  readonly drawn: number;
}

/** The first and the last of some chunks. */
export interface Near {
  readonly first: number;
  readonly last: number;
}

export interface Sort {
  readonly column: string;
  readonly descending: boolean;
}

export type Theme = 'auto' | 'light' | 'dark';

/** What somebody can do. */
export interface Actions {
  set(change: Partial<State>): void;
  go(view: View, id?: string | number): void;
  /** @param key of the button, which tells whether it was done */
  copy(key: string, text: string): void;
  reset(): void;
  setTheme(theme: Theme): void;
  pause(paused: boolean): void;
  /** Draws a row of a table that may be far away, goes there and gives it the focus. @param element its id */
  reveal(table: string, index: number, element: string): void;
}

/** What a view is made of. */
export interface Context {
  readonly state: State;
  readonly report: ReportData;
  readonly act: Actions;
}

/** So many findings are shown at first: they are tall. */
export const FINDINGS = 30;

export function initialState(title: string, place: Place, theme: Theme): State {
  return {
    title,
    report: undefined,
    place,
    search: '',
    sorts: {},
    shown: FINDINGS,
    near: {},
    heights: {},
    folded: new Set(),
    kind: undefined,
    printing: false,
    zoom: undefined,
    live: 'live',
    problem: undefined,
    theme,
    scopes: new Map(),
    copied: undefined,
    armed: false,
    read: 0,
    drawn: 0,
  };
}
