import type { Compiled, Send } from './connection-watch.ts';

/** Which database a connection leads to, as its own server says. */
export interface DatabaseIdentity {
  /** The same for all connections, processes and servers (primary and standbys) of one database, and for no other. */
  readonly database: string;
  /** Schemas that bare names are looked for in. */
  readonly searchPath: readonly string[];
}

/*
 * https://www.postgresql.org/docs/18/functions-info.html#FUNCTIONS-PG-CONTROL: the system identifier is made by initdb and
 * kept by every standby. Anybody may ask for it; where that was revoked, the address has to do.
 */
const IDENTITY = `select (select system_identifier::text from pg_control_system()) as "system", current_database() as "database",
  current_schemas(false)::text[] as "schemas"`;
const WITHOUT_SYSTEM = `select null::text as "system", current_database() as "database", current_schemas(false)::text[] as "schemas"`;

/**
 * Asks once for each ORM, on the first connection that is used: before a statement can be read from the cache or be told
 * of. Others wait for the answer.
 */
export class IdentityQuestion {
  readonly #address: string;
  #asked: Promise<void> | undefined;
  #answer: DatabaseIdentity | undefined;

  /** @param address what stands for the server where it does not say who it is */
  constructor(address: string) {
    this.#address = address;
  }

  get answer(): DatabaseIdentity | undefined {
    return this.#answer;
  }

  /** @returns `undefined` if it has been answered; rejects if the database does, and is asked again the next time */
  ask(send: Send, like: Compiled): Promise<void> | undefined {
    if (this.#answer !== undefined) {
      return undefined;
    }
    this.#asked ??= this.#ask(send, like).catch((error: unknown) => {
      this.#asked = undefined;
      throw error;
    });
    return this.#asked;
  }

  async #ask(send: Send, like: Compiled): Promise<void> {
    const rowOf = async (sql: string): Promise<Record<string, unknown>> => {
      const { rows } = await send({ ...like, sql, parameters: [] });
      return rows[0] ?? {};
    };
    let row: Record<string, unknown>;
    try {
      row = await rowOf(IDENTITY);
    } catch (error) {
      if ((error as { code?: unknown }).code !== INSUFFICIENT_PRIVILEGE) {
        throw error;
      }
      row = await rowOf(WITHOUT_SYSTEM);
    }
    const schemas = row['schemas'];
    this.#answer = {
      database: `${String(row['system'] ?? this.#address)}/${String(row['database'])}`,
      searchPath: Array.isArray(schemas) ? schemas.map(String) : parsedArray(String(schemas)),
    };
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';

/** `{a,"b c"}`, where the driver leaves arrays as they are. */
function parsedArray(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|([^{},]+)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll(/\\(.)/g, '$1') ?? plain!,
  );
}
