import type { Found, Registry } from './store.ts';
import { EVERYTHING } from './tags.ts';

/** The epoch and the versions that an entry was read under, as one text. */
export function vectorOf(registry: Registry, versions: readonly string[]): string {
  return `${registry.epoch}\n${versions.join('\n')}`;
}

/** The vector that an entry has to have to be a hit now; `undefined` if none can be. */
export function currentVector({ registry, versions }: Found): string | undefined {
  return registry !== undefined && versions.every(version => version !== undefined)
    ? vectorOf(registry, versions as string[])
    : undefined;
}

/** Whether a writer that has not closed its intent may be changing what carries one of `tags`. */
export function isBlocked(registry: Registry, tags: readonly string[]): boolean {
  return registry.intents.some(intent => intent.tags.some(tag => tag === EVERYTHING || tags.includes(tag)));
}
