import { ResultCacheError } from './errors.ts';
import { type Intent, MAX_INTENT_TAGS } from './store.ts';

const WORD = /^[\w-]+$/;

/**
 * An intent that broke its contract would damage the registry, on which every entry depends.
 *
 * @throws {ResultCacheError} `ARGUMENT`
 */
export function checkIntent({ id, tags, ttl }: Intent): void {
  if (!WORD.test(id)) {
    throw refused(`id must consist of letters, digits, - and _, but is ${JSON.stringify(id)}`);
  }
  if (tags.length > MAX_INTENT_TAGS) {
    throw refused(`tags must be at most ${MAX_INTENT_TAGS}, but are ${tags.length}`);
  }
  const wrong = tags.find(tag => !WORD.test(tag));
  if (wrong !== undefined) {
    throw refused(`tags must consist of letters, digits, - and _, but one is ${JSON.stringify(wrong)}`);
  }
  if (!(ttl > 0)) {
    throw refused(`ttl must be a number of ms above 0, but is ${ttl}`);
  }
}

function refused(why: string): ResultCacheError {
  return new ResultCacheError('ARGUMENT', `CacheStore.open(): the intent's ${why}.`);
}
