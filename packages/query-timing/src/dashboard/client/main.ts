/// <reference lib="dom" />
import type { ScopeData } from '../../report/json.ts';
import { app } from './app.ts';
import { copyText } from './clipboard.ts';
import { CHUNK } from './chunks.ts';
import { startKeyboard } from './keyboard.ts';
import { hashOf, placeOf, type View } from './location.ts';
import { nearby } from './nearby.ts';
import { createRenderer } from './render.ts';
import { createServer } from './server.ts';
import { type Actions, initialState, type State } from './state.ts';
import { applyTheme, storedTheme } from './theme.ts';
import { startTooltips } from './tooltip.ts';
import { createUpdates } from './updates.ts';

/** For how long a button says that it has copied, in ms. */
const COPIED = 2000;
/** So many requests are kept with their records. */
const MOST_SCOPES = 20;

/** Ties everything together: one state, drawn whenever it changes. */
function start(root: HTMLElement): void {
  // With the origin in front: a path that begins with two slashes would be another host.
  const base = location.origin + location.pathname.replace(/\/+$/, '');
  const server = createServer(base);
  const render = createRenderer(root);
  const tooltips = startTooltips(root);
  let state: State = initialState(root.dataset['title'] ?? 'Queries', placeOf(location.hash), storedTheme());
  let stopListening: (() => void) | undefined;
  let drawing = false;
  // Where each list was scrolled to when it was left.
  const scrolled = new Map<string, number>();

  // Chunks of tables that have come near, or are far away now.
  const look = (): void => {
    const change = nearby(root, state);
    if (change) {
      set(change);
    }
  };

  const draw = (): void => {
    const from = performance.now();
    render(app(state, act, base));
    const drawn = performance.now() - from;
    // Without another drawing: it is shown the next time.
    state = { ...state, drawn };
    look();
  };

  const set = (change: Partial<State>): void => {
    state = { ...state, ...change };
    if (!drawing) {
      drawing = true;
      window.requestAnimationFrame(() => {
        drawing = false;
        draw();
      });
    }
  };

  const failed = (error: unknown): void => {
    const problem = error instanceof Error ? error.message : 'Something went wrong.';
    set({ problem, ...(state.live === 'paused' ? {} : { live: 'lost' as const }) });
  };

  const readScope = async (): Promise<void> => {
    const { view, id } = state.place;
    const number = Number(id);
    if (view !== 'requests' || id === undefined || !Number.isSafeInteger(number) || number < 0) {
      return;
    }
    const summary = state.report?.scopes.find(scope => scope.id === number);
    if (!summary || summary.kept === 0) {
      set({ scopes: keptScopes(state.scopes, number, 'gone') });
      return;
    }
    const known = state.scopes.get(number);
    // One that is over does not change any more.
    if (known !== undefined && known !== 'gone' && !known.open) {
      return;
    }
    const scope = await server.scope(number);
    set({ scopes: keptScopes(state.scopes, number, scope) });
  };

  const load = async (): Promise<void> => {
    try {
      const from = performance.now();
      const report = await server.report();
      const first = state.report === undefined;
      set({
        report,
        problem: undefined,
        read: performance.now() - from,
        ...(state.live === 'lost' ? { live: 'live' as const } : {}),
      });
      if (first) {
        draw();
        showTab(state.place.view);
      }
      await readScope();
    } catch (error) {
      failed(error);
    }
  };

  const updates = createUpdates(load);

  const listen = (): void => {
    stopListening?.();
    stopListening = undefined;
    // A browser has few connections to one server: a page that is not looked at must not hold one.
    if (state.live !== 'paused' && !document.hidden) {
      stopListening = server.listen(updates.request, live => {
        if (state.live !== live && state.live !== 'paused') {
          set({ live });
        }
      });
    }
  };

  const arrive = (): void => {
    const before = state.place;
    const place = placeOf(location.hash);
    if (before.view === place.view && before.id === place.id) {
      return;
    }
    tooltips.hide();
    scrolled.set(hashOf(before.view, before.id), window.scrollY);
    state = {
      ...state,
      place,
      zoom: undefined,
      ...(before.view === place.view ? {} : { search: '', kind: undefined }),
    };
    draw();
    const back = place.id === undefined && before.view === place.view && before.id !== undefined;
    window.scrollTo(0, back ? (scrolled.get(location.hash) ?? 0) : 0);
    showTab(place.view);
    focusOn(place.id === undefined ? (back ? `${before.view}/${before.id}` : undefined) : 'detail');
    readScope().catch(failed);
  };

  const act: Actions = {
    set,
    go: (view, id) => {
      location.hash = hashOf(view, id);
      // The event comes later; what was pressed is to be seen now.
      arrive();
    },
    copy: (key, text) => {
      void copyText(text).then(done => {
        set({ copied: { key, done } });
        window.setTimeout(() => void (state.copied?.key === key && set({ copied: undefined })), COPIED);
      });
    },
    reset: () => {
      server
        .reset()
        .then(async () => {
          set({ armed: false, scopes: new Map() });
          await load();
        })
        .catch(failed);
    },
    setTheme: theme => {
      applyTheme(theme);
      set({ theme });
    },
    reveal: (table, index, element) => {
      const chunk = Math.floor(index / CHUNK);
      state = { ...state, near: { ...state.near, [table]: { first: chunk, last: chunk } } };
      draw();
      const row = document.getElementById(element);
      row?.scrollIntoView({ block: 'center' });
      row?.focus({ preventScroll: true });
    },
    pause: paused => {
      state = { ...state, live: paused ? 'paused' : 'live' };
      if (paused) {
        updates.cancel();
      }
      set({ problem: undefined });
      listen();
    },
  };

  const escape = (): boolean => {
    if (tooltips.hide()) {
      return true;
    }
    if (state.armed) {
      set({ armed: false });
    } else if (state.search !== '') {
      set({ search: '' });
    } else if (state.place.id !== undefined) {
      act.go(state.place.view);
    } else {
      return false;
    }
    return true;
  };

  applyTheme(state.theme);
  draw();
  startKeyboard({ escape });
  window.addEventListener('hashchange', arrive);
  window.addEventListener('scroll', look, { passive: true });
  window.addEventListener('resize', look);
  for (const [event, printing] of [
    ['beforeprint', true],
    ['afterprint', false],
  ] as const) {
    window.addEventListener(event, () => {
      state = { ...state, printing };
      draw();
    });
  }
  document.addEventListener('visibilitychange', listen);
  updates.request();
  listen();
}

/** With one more, and without those that were added first if they are many. */
function keptScopes(scopes: State['scopes'], id: number, scope: ScopeData | 'gone'): State['scopes'] {
  const others = [...scopes].filter(([key]) => key !== id).slice(1 - MOST_SCOPES);
  return new Map([...others, [id, scope]]);
}

/** The tabs scroll where there is little room. */
function showTab(view: View): void {
  document.getElementById(`tab-${view}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

function focusOn(name: string | undefined): void {
  if (name !== undefined) {
    const found = document.querySelector(`[data-focus="${CSS.escape(name)}"]`);
    if (found instanceof HTMLElement) {
      found.focus({ preventScroll: name === 'detail' });
    }
  }
}

const root = document.getElementById('app');
if (root) {
  start(root);
}
