import type { CallSite } from '../call-site.ts';
import type { Scan } from '../sql/scan.ts';

/** Whether the user does not want to hear of it: by file, function, entity or shape. */
export function isIgnored(
  ignore: readonly (string | RegExp)[],
  site: CallSite | undefined,
  entity: string | undefined,
  { id, text }: Scan,
): boolean {
  if (ignore.length === 0) {
    return false;
  }
  const caller = site?.caller;
  const places = [site?.file, site?.function, caller?.file, caller?.function].filter(place => place !== undefined);
  return ignore.some(each =>
    typeof each === 'string'
      ? each === id || each === entity || places.some(place => place.includes(each))
      : [id, entity, text, ...places].some(part => part !== undefined && part.search(each) !== -1),
  );
}
