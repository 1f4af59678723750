import { createHash } from 'node:crypto';
import { DriverException, type EntityManager, type MikroORM } from '@mikro-orm/postgresql';
import { readCities, type CityData } from '../data/cities.ts';
import { readCountries, readCurrencies, readLanguages, type CountryData } from '../data/countries.ts';
import { inventTravellers } from '../data/travellers.ts';
import { City, Country, Currency, Language, Traveller, Visit } from '../entities/index.ts';
import { AtlasError } from '../errors.ts';
import { SCHEMA } from '../orm.ts';
import type { Progress } from '../progress.ts';

/** To be raised when what is loaded changes without the tables changing. */
const DATA_VERSION = 1;
const BATCH = 5_000;
/** Any number nobody else locks. */
const LOCK = 4_215_061;

/**
 * Makes sure that the database holds the data, and all of it. Says whether it had to be loaded.
 *
 * Everything happens in one transaction, the tables and the marker that says "loaded" included. A load that is
 * interrupted therefore leaves nothing behind, and of two Atlases starting on one database one loads, the other waits.
 */
export async function ensureLoaded(orm: MikroORM, progress: Progress): Promise<boolean> {
  const ddl = await orm.schema.getCreateSchemaSQL();
  const fingerprint = createHash('sha256').update(`${DATA_VERSION}\n${ddl}`).digest('hex');
  const em = orm.em.fork();
  try {
    return (
      !(await isLoaded(em, fingerprint)) &&
      (await em.transactional(tx => loadUnlessLoaded(tx, ddl, fingerprint, progress)))
    );
  } catch (error) {
    // No right to create a schema, a disk that is full: the server's words are the best there are.
    throw error instanceof DriverException
      ? new AtlasError(`the data could not be loaded: ${error.message}`, { cause: error })
      : error;
  }
}

async function loadUnlessLoaded(
  em: EntityManager,
  ddl: string,
  fingerprint: string,
  progress: Progress,
): Promise<boolean> {
  await em.execute('select pg_advisory_xact_lock(?)', [LOCK]);
  if (await isLoaded(em, fingerprint)) {
    return false;
  }
  await dropOldTables(em);
  await em.execute(ddl);
  await load(em, progress);
  await analyze(em);
  await writeMarker(em, fingerprint);
  return true;
}

/** The marker must be there, be of this version, and agree with the number of cities: someone may have emptied a table. */
async function isLoaded(em: EntityManager, fingerprint: string): Promise<boolean> {
  if (!(await exists(em, `${SCHEMA}.loaded`))) {
    return false;
  }
  const [marker] = await em.execute<{ fingerprint: string; cities: number }[]>(
    `select fingerprint, cities from ${SCHEMA}.loaded`,
  );
  return marker?.fingerprint === fingerprint && marker.cities === (await countCities(em));
}

async function writeMarker(em: EntityManager, fingerprint: string): Promise<void> {
  await em.execute(
    `create table ${SCHEMA}.loaded (fingerprint text not null, cities int not null, at timestamptz not null default now())`,
  );
  await em.execute(`insert into ${SCHEMA}.loaded (fingerprint, cities) values (?, ?)`, [
    fingerprint,
    await countCities(em),
  ]);
}

/** Tables of another version, or damaged ones. A schema of this name that Atlas did not make is not touched. */
async function dropOldTables(em: EntityManager): Promise<void> {
  const [row] = await em.execute<{ taken: boolean }[]>('select to_regnamespace(?) is not null as taken', [SCHEMA]);
  if (row?.taken === true && !(await exists(em, `${SCHEMA}.loaded`))) {
    throw new AtlasError(
      `the database has a schema "${SCHEMA}" that is not Atlas's own; give DATABASE_URL another database.`,
    );
  }
  await em.execute(`drop schema if exists ${SCHEMA} cascade`);
}

async function load(em: EntityManager, progress: Progress): Promise<void> {
  progress.show('Reading countries and cities');
  const countries = readCountries();
  const cities = await readCities(countries);
  await loadCountries(em, countries, cities);
  for (let from = 0; from < cities.length; from += BATCH) {
    progress.show('Loading cities', `${from.toLocaleString('en')} of ${cities.length.toLocaleString('en')}`);
    await em.insertMany(City, cities.slice(from, from + BATCH));
  }
  progress.show('Loading travellers and their visits');
  const { travellers, visits } = inventTravellers(cities);
  await em.insertMany(Traveller, travellers);
  await em.insertMany(Visit, visits);
  // The ids were given, not drawn: the sequence must not give them again.
  await em.execute(`select setval(pg_get_serial_sequence('${SCHEMA}.traveller', 'id'), ?)`, [travellers.length]);
}

/** Countries, and what they are connected to: few enough for the unit of work, which writes the pivot tables as well. */
async function loadCountries(
  em: EntityManager,
  countries: readonly CountryData[],
  cities: readonly CityData[],
): Promise<void> {
  const urbanPopulation = new Map<string, number>();
  for (const city of cities) {
    urbanPopulation.set(city.country, (urbanPopulation.get(city.country) ?? 0) + city.population);
  }
  readLanguages().forEach(language => em.create(Language, language));
  readCurrencies().forEach(currency => em.create(Currency, currency));
  for (const { code2, borders, ...country } of countries) {
    em.create(Country, { ...country, urbanPopulation: urbanPopulation.get(country.code) ?? 0 });
  }
  await em.flush();
  // Only now: a neighbour has to be there before a border can lead to it.
  countries.forEach(({ code, borders }) =>
    em.getReference(Country, code).borders.set(borders.map(neighbour => em.getReference(Country, neighbour))),
  );
  await em.flush();
  em.clear();
}

/** Without statistics the first queries would be planned for empty tables. Ours only: the database may hold others. */
async function analyze(em: EntityManager): Promise<void> {
  const tables = await em.execute<{ name: string }[]>('select tablename as name from pg_tables where schemaname = ?', [
    SCHEMA,
  ]);
  await em.execute(`analyze ${tables.map(({ name }) => `${SCHEMA}."${name}"`).join(', ')}`);
}

async function countCities(em: EntityManager): Promise<number> {
  if (!(await exists(em, `${SCHEMA}.city`))) {
    return 0;
  }
  const [row] = await em.execute<{ n: number }[]>(`select count(*)::int as n from ${SCHEMA}.city`);
  return row?.n ?? 0;
}

async function exists(em: EntityManager, table: string): Promise<boolean> {
  const [row] = await em.execute<{ found: boolean }[]>('select to_regclass(?) is not null as found', [table]);
  return row?.found === true;
}
