/// <reference lib="dom" />
import type { Theme } from './state.ts';

const KEY = 'mikrokit-query-timing-theme';

/** What was chosen last; a browser that keeps nothing gets what its system has. */
export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'auto';
  } catch {
    return 'auto';
  }
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Chosen for this time only.
  }
}
