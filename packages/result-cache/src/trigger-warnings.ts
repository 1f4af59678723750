import type { DatabaseFacts } from './database-facts.ts';
import type { Tables } from './tables.ts';

/** Tells once of each table with triggers: what they write to other tables is not seen, unless somebody says so. */
export class TriggerWarnings {
  readonly #told = new Set<string>();

  tell({ unusual }: DatabaseFacts, tables: Tables): void {
    for (const [id, { triggers }] of unusual) {
      const { schema, name } = tables.named(id);
      const table = tables.find(schema, name);
      if (triggers.length > 0 && table !== undefined && !table.tellsWrites && !this.#told.has(id)) {
        this.#told.add(id);
        process.emitWarning(
          `resultCache(): the table ${id} has triggers (${triggers.join(', ')}). If they write to other tables, name those in ` +
            "the entity's resultCache: { alsoWrites: ['table'] }; if not, say alsoWrites: [].",
          { type: 'MikrokitWarning', code: 'RESULT_CACHE_TRIGGER' },
        );
      }
    }
  }
}
