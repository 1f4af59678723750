/** `just now`, `12 s ago`, `3 min ago`, `2 h ago`, or the date. Pure. @param at @param now in ms since the epoch */
export function ago(at: number, now: number): string {
  const seconds = Math.round((now - at) / 1000);
  if (seconds < 2) {
    return 'just now';
  }
  if (seconds < 100) {
    return `${seconds} s ago`;
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) {
    return `${minutes} min ago`;
  }
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : new Date(at).toLocaleDateString('en-CA');
}

/** `14:03:21` of the browser's clock. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}
