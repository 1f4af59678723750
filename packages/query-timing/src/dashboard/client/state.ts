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
  /** How many rows of each list are shown, where it is not the usual number. */
  readonly shown: Readonly<Record<string, number>>;
  /** Nodes of plans whose children are hidden. */
  readonly folded: ReadonlySet<string>;
  /** Kind of the findings that are shown; `undefined`: all. */
  readonly kind: string | undefined;
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
}

/** What a view is made of. */
export interface Context {
  readonly state: State;
  readonly report: ReportData;
  readonly act: Actions;
}

export function initialState(title: string, place: Place, theme: Theme): State {
  return {
    title,
    report: undefined,
    place,
    search: '',
    sorts: {},
    shown: {},
    folded: new Set(),
    kind: undefined,
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
