import type { ModelFacts } from './model-facts.ts';
import { placeOf } from './site-key.ts';
import type { WriteLoop } from './write-loop.ts';

/** Code that writes at once what is written one by one. */
export function writeFix(facts: ModelFacts, { repeats, group, moving }: WriteLoop): string {
  const { kind, tables, text } = repeats.shape;
  const table = tables[0];
  const entity = facts.entitiesOf(table)[0]?.name;
  const key = moving?.keys[0];
  const property = facts.entitiesOf(table)[0]?.properties.get(key?.column ?? '') ?? key?.column;
  const after = `  // ${group.site === undefined ? '' : `${placeOf(group.site)} — `}once, after the loop`;
  if (group.method === 'flush') {
    return `await em.flush()${after}`;
  }
  if (entity === undefined) {
    return kind === 'insert'
      ? `insert into ${table ?? '…'} … values (…), (…)${after}`
      : `${kind} ${table ?? '…'} … where ${key?.column ?? '…'} in (…)${after}`;
  }
  switch (kind) {
    case 'insert':
      return `await em.${/\bon conflict\b/i.test(text) ? 'upsertMany' : 'insertMany'}(${entity}, rows)${after}`;
    case 'delete':
      return `await em.nativeDelete(${entity}, { ${property ?? 'id'}: { $in: […] } })${after}`;
    default:
      return moving?.isSet === true
        ? `await em.upsertMany(${entity}, rows)${after}, or change the entities and flush them together`
        : `await em.nativeUpdate(${entity}, { ${property ?? 'id'}: { $in: […] } }, …)${after}`;
  }
}
