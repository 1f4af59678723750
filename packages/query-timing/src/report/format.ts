/* Numbers as people read them: three figures and a unit. Anything that is no number is `–`. Used by the page, too. */

/** @param us */
export function duration(us: number | null | undefined): string {
  if (us == null || !Number.isFinite(us)) {
    return '–';
  }
  if (us < 0) {
    return `-${duration(-us)}`;
  }
  // The limits are where rounding to three figures would give four.
  if (us < 999.5) {
    return `${us < 10 && us % 1 !== 0 ? us.toFixed(1) : Math.round(us)} µs`;
  }
  if (us < 999_500) {
    return `${figures(us / 1000)} ms`;
  }
  if (us < 59_950_000) {
    return `${figures(us / 1_000_000)} s`;
  }
  const seconds = Math.round(us / 1_000_000);
  const minutes = Math.floor(seconds / 60);
  const [many, unit, rest, small] =
    minutes < 60 ? [minutes, 'min', seconds % 60, 's'] : [Math.floor(minutes / 60), 'h', minutes % 60, 'min'];
  return `${whole(many)} ${unit}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}

/** With thin groups of three: `12 345`. */
export function whole(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) {
    return '–';
  }
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, '\u202f');
}

/** `12 345`, `1.23 M`: for where there is little room. */
export function short(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) {
    return '–';
  }
  const size = Math.abs(value);
  if (size < 99_950) {
    return size % 1 === 0 ? whole(value) : figures(value);
  }
  return size < 999_500 ? `${figures(value / 1000)} k` : `${figures(value / 1_000_000)} M`;
}

/** @param value 0 to 1 */
export function percent(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) {
    return '–';
  }
  const hundredths = value * 100;
  return hundredths > 0 && hundredths < 0.1 ? '< 0.1 %' : `${figures(hundredths)} %`;
}

/** @param value in bytes */
export function bytes(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) {
    return '–';
  }
  if (value < 1000) {
    return `${Math.round(value)} B`;
  }
  return value < 999_500 ? `${figures(value / 1000)} kB` : `${figures(value / 1_000_000)} MB`;
}

/** Three figures, without zeros at the end of a fraction. */
function figures(value: number): string {
  const size = Math.abs(value);
  const text = value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
