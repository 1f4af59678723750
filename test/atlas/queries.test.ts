import { beforeAll, describe, expect, test } from 'vitest';
import * as queries from '../../examples/atlas/src/queries.ts';
import { AtlasProcess, dataFolder } from './atlas-process.ts';
import { world } from './world.ts';

interface Statement {
  sql: string;
  via: 'primary' | 'replica';
}

interface Answer {
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows the shape it asked for
  data: any;
  errors?: { message: string; extensions?: { code?: string } }[];
  statements: Statement[];
}

let url: string;

// Statements are what batching is measured by: those that the cache would save are left in.
beforeAll(async () => {
  const atlas = new AtlasProcess(['--port', '0', '--no-cache'], { ATLAS_DATA: dataFolder() });
  url = (await atlas.printed(/GraphiQL {4}(\S+)[^]*Ctrl-C/))[1]!;
}, 180_000);

async function ask(query: string, variables?: object): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors, extensions } = (await response.json()) as Answer & {
    extensions?: { sql: { statements: Statement[] } };
  };
  return { data, ...(errors && { errors }), statements: extensions?.sql.statements ?? [] };
}

/** Which tables the statements read, in their order: `country, city` is two statements. */
function tables(statements: readonly Statement[]): string[] {
  return statements.map(({ sql }) => /"atlas"\."(\w+)"/.exec(sql)?.[1] ?? sql);
}

interface CityPages {
  code: string;
  cityPages: { nodes: { name: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
}

const europe = world.countries.filter(country => country.region === 'Europe');

/** From A to Z, as the pages have them. */
function largeCities(country: (typeof europe)[0]): ReturnType<typeof world.cities> {
  const large = world.cities(country).filter(({ population }) => population >= 100_000);
  return large.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)) || a.cityId - b.cityId);
}

describe('the queries of the tour', () => {
  // One wave of countries and, in the next, one of each relation. The tour has warmed the process: the first use of a table
  // asks for its indexes as well.
  test('every country with languages, neighbours, three largest cities and their number: as many statements as waves', async () => {
    const { data, statements } = await ask(queries.WORLD.document);
    expect(data.countries).toHaveLength(250);
    expect(data.countries).toEqual(
      world.countries.map(country => ({
        name: country.name.common,
        flag: country.flag,
        region: country.region,
        languages: expect.any(Array),
        neighbours: world.neighbours(country).map(({ name }) => ({ name: name.common })),
        cities: world
          .cities(country)
          .slice(0, 3)
          .map(({ name, population }) => ({ name, population })),
        cityCount: world.cities(country).length,
      })),
    );
    const find = (name: string): { languages: object[]; neighbours: object[]; cities: object[] } =>
      data.countries.find((country: { name: string }) => country.name === name);
    expect(find('Luxembourg').neighbours).toEqual([{ name: 'Belgium' }, { name: 'France' }, { name: 'Germany' }]);
    expect(find('Luxembourg').languages).toEqual([{ name: 'French' }, { name: 'German' }, { name: 'Luxembourgish' }]);
    expect(find('Germany').cities).toEqual([
      { name: 'Berlin', population: 3_426_354 },
      { name: 'Hamburg', population: 1_739_117 },
      { name: 'Munich', population: 1_260_391 },
    ]);
    expect(tables(statements).toSorted()).toEqual(['city', 'city', 'country', 'country_borders', 'country_languages']);
  });

  test("a city's country's neighbours' currencies: four statements", async () => {
    const { data, statements } = await ask(queries.NEIGHBOURS_CURRENCIES.document);
    const { name, country } = data.cities[0];
    expect([name, country.name]).toEqual(['Beijing', 'China']);
    expect(country.neighbours.map((each: { name: string }) => each.name)).toEqual(
      world.neighbours(world.country('China')).map(each => each.name.common),
    );
    expect(country.neighbours).toHaveLength(16);
    expect(country.neighbours.find((each: { name: string }) => each.name === 'Nepal').currencies).toEqual([
      { code: 'NPR', name: 'Nepalese rupee', symbol: '₨' },
    ]);
    expect(tables(statements)).toEqual(['city', 'country', 'country_borders', 'country_currencies']);
  });

  test('numbers of neighbours and cities of every country: three statements', async () => {
    const { data, statements } = await ask(queries.COUNTS.document);
    expect(data.countries).toEqual(
      world.countries.map(country => ({
        name: country.name.common,
        neighbourCount: world.neighbours(country).length,
        cityCount: world.cities(country).length,
      })),
    );
    expect(statements).toHaveLength(3);
  });

  test('the latest 200 visits, with who, from where, and where: at most seven statements', async () => {
    const { data, statements } = await ask(queries.VISITS.document);
    expect(data.visits).toHaveLength(200);
    const days = data.visits.map((visit: { day: string }) => visit.day);
    expect(days).toEqual(days.toSorted().toReversed());
    for (const { traveller, city } of data.visits) {
      for (const place of [traveller.home, city]) {
        const cities = world.cities(world.country(place.country.name));
        expect(cities.map(({ name }) => name)).toContain(place.name);
      }
    }
    // Visits, travellers, cities, homes: four. Countries are asked for by cities, by homes that happen to be among those
    // cities, and by the other homes; how many of the three fall into one batch window is up to the server's timing.
    expect(statements.length).toBeLessThanOrEqual(7);
  });

  test('every language with its countries and their currencies: three statements', async () => {
    const { data, statements } = await ask(queries.LANGUAGES.document);
    expect(data.languages).toHaveLength(153);
    const german = data.languages.find((language: { name: string }) => language.name === 'German');
    expect(german.countries.map((country: { name: string }) => country.name)).toEqual(
      world.speaking('deu').map(country => country.name.common),
    );
    const switzerland = data.languages
      .find((language: { name: string }) => language.name === 'Romansh')
      .countries.find((country: { name: string }) => country.name === 'Switzerland');
    expect(switzerland.currencies).toEqual([{ code: 'CHF' }]);
    expect(tables(statements)).toEqual(['language', 'country_languages', 'country_currencies']);
  });

  test('travellers with their number of visits and the last three: four statements', async () => {
    const { data, statements } = await ask(queries.TRAVELLERS.document);
    expect(data.travellers).toHaveLength(50);
    for (const { visits, visitCount } of data.travellers) {
      expect(visits).toHaveLength(Math.min(3, visitCount));
      expect(visits.map((visit: { day: string }) => visit.day)).toEqual(
        visits
          .map((visit: { day: string }) => visit.day)
          .toSorted()
          .toReversed(),
      );
    }
    expect(tables(statements).toSorted()).toEqual(['city', 'traveller', 'visit', 'visit']);
  });

  test('the largest cities with country, number of visits and last visitor: five statements', async () => {
    const { data, statements } = await ask(queries.LARGEST_CITIES.document);
    expect(data.cities[0]).toMatchObject({ name: 'Shanghai', population: 22_315_474, country: { name: 'China' } });
    for (const { visits, visitCount } of data.cities) {
      expect(visits).toHaveLength(Math.min(1, visitCount));
    }
    expect(data.cities.some((city: { visitCount: number }) => city.visitCount > 0)).toBe(true);
    expect(tables(statements).toSorted()).toEqual(['city', 'country', 'traveller', 'visit', 'visit']);
  });

  test('three different parts of one relation at once: one statement', async () => {
    const { data, statements } = await ask(queries.EUROPE.document);
    expect(data.countries).toEqual(
      world.countries
        .filter(country => country.region === 'Europe')
        .map(country => {
          const cities = world.cities(country);
          return {
            name: country.name.common,
            largest: cities.slice(0, 1).map(({ name }) => ({ name })),
            next: cities.slice(1, 3).map(({ name }) => ({ name })),
            millions: cities
              .filter(({ population }) => population >= 1_000_000)
              .map(({ name, population }) => ({ name, population })),
          };
        }),
    );
    expect(tables(statements)).toEqual(['country', 'city']);
  });

  test('the first page of large cities of each country, and their number: two statements', async () => {
    const { data, statements } = await ask(queries.CITY_PAGES.document);
    expect(data.countries).toEqual(
      europe.map(country => {
        const cities = largeCities(country);
        return {
          name: country.name.common,
          cityPages: {
            totalCount: cities.length,
            nodes: cities.slice(0, 5).map(({ name, population }) => ({ name, population })),
            pageInfo: { hasNextPage: cities.length > 5, endCursor: cities.length > 0 ? expect.any(String) : null },
          },
        };
      }),
    );
    expect(
      data.countries.filter((country: CityPages) => country.cityPages.pageInfo.hasNextPage).length,
    ).toBeGreaterThan(10);
    expect(tables(statements)).toEqual(['country', 'city']);
  });

  test('the cities that follow the 100 largest, each a page that begins elsewhere: two statements', async () => {
    const { data, statements } = await ask(queries.RUNNERS_UP.document);
    const largest = world.countries.flatMap(country => world.cities(country).map((city, i) => ({ country, city, i })));
    largest.sort((a, b) => b.city.population - a.city.population || a.city.cityId - b.city.cityId);
    expect(data.cities).toEqual(
      largest.slice(0, 100).map(({ country, city, i }) => ({
        name: city.name,
        smaller: world
          .cities(country)
          .slice(i + 1, i + 4)
          .map(({ name, population }) => ({ name, population })),
      })),
    );
    expect(tables(statements)).toEqual(['city', 'city']);
  });

  test('reads go to the replica', async () => {
    const { statements } = await ask(queries.WORLD.document);
    expect(new Set(statements.map(({ via }) => via))).toEqual(new Set(['replica']));
  });
});

describe('other questions', () => {
  test("the currencies of Switzerland's neighbours, from a city of it", async () => {
    const { data } = await ask(
      '{ cities(startsWith: "ZÜR", limit: 1) { name country { neighbours { name currencies { code } } } } }',
    );
    expect(data.cities).toEqual([
      {
        name: 'Zürich',
        country: {
          neighbours: [
            { name: 'Austria', currencies: [{ code: 'EUR' }] },
            { name: 'France', currencies: [{ code: 'EUR' }] },
            { name: 'Germany', currencies: [{ code: 'EUR' }] },
            { name: 'Italy', currencies: [{ code: 'EUR' }] },
            { name: 'Liechtenstein', currencies: [{ code: 'CHF' }] },
          ],
        },
      },
    ]);
  });

  test('one country on several paths, with another limit on each', async () => {
    const { data } = await ask(
      `{ country(code: "lux") {
           cities(limit: 2) { name }
           neighbours { name neighbours { name cities(limit: 1) { name } } cities(limit: 2, offset: 1) { name } }
         } }`,
    );
    const names = (cities: { name: string }[]): string[] => cities.map(({ name }) => name);
    const largest = (name: string): string[] => world.cities(world.country(name)).map(city => city.name);
    expect(names(data.country.cities)).toEqual(largest('Luxembourg').slice(0, 2));
    for (const neighbour of data.country.neighbours) {
      expect(names(neighbour.cities)).toEqual(largest(neighbour.name).slice(1, 3));
      for (const { name, cities } of neighbour.neighbours) {
        expect(names(cities)).toEqual(largest(name).slice(0, 1));
      }
    }
  });

  test('a prefix is taken literally, and upper case means nothing', async () => {
    const { data } = await ask(
      '{ none: cities(startsWith: "%ber") { name } berlin: cities(startsWith: "bERLI", limit: 1) { name } }',
    );
    expect(data).toEqual({ none: [], berlin: [{ name: 'Berlin' }] });
  });

  test('pages neither overlap nor leave gaps', async () => {
    const { data } = await ask(
      `{ all: countries(limit: 20) { code } first: countries(limit: 10) { code } second: countries(limit: 10, offset: 10) { code } }`,
    );
    expect([...data.first, ...data.second]).toEqual(data.all);
  });

  test('all pages of every country, each on from a cursor of its own: two statements at a time', async () => {
    const pages = (after = ''): string =>
      `code cityPages(first: 30, minPopulation: 100000 ${after}) { nodes { name } pageInfo { hasNextPage endCursor } }`;
    const names = new Map<string, string[]>();
    let found: CityPages[] = (await ask(`{ countries(region: "Europe") { ${pages()} } }`)).data.countries;
    while (found.length > 0) {
      found.forEach(({ code, cityPages }) =>
        names.set(code, [...(names.get(code) ?? []), ...cityPages.nodes.map(({ name }) => name)]),
      );
      const next = found
        .filter(({ cityPages }) => cityPages.pageInfo.hasNextPage)
        .map(({ code, cityPages }) => {
          const after = `after: "${cityPages.pageInfo.endCursor}"`;
          return `${code}: country(code: "${code}") { ${pages(after)} }`;
        });
      const { data, statements } = await ask(`{ __typename ${next.join('\n')} }`);
      expect(statements.length).toBeLessThanOrEqual(2);
      const { __typename, ...countries } = data;
      found = Object.values(countries);
    }
    expect(Object.fromEntries(names)).toEqual(
      Object.fromEntries(europe.map(country => [country.cca3, largeCities(country).map(({ name }) => name)])),
    );
  });

  test('pages of cities whose name begins with some letters, by a connection as Relay has it', async () => {
    const { data } = await ask(
      `{ country(code: "CHE") { cityPages(first: 2, startsWith: "zür", minPopulation: 20000) {
           totalCount edges { cursor node { name } } nodes { name }
           pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
         } } }`,
    );
    const cities = world
      .cities(world.country('Switzerland'))
      .filter(({ name, population }) => name.startsWith('Zür') && population >= 20_000)
      .map(({ name }) => name)
      .toSorted();
    const { totalCount, edges, nodes, pageInfo } = data.country.cityPages;
    expect(totalCount).toBe(cities.length);
    expect(cities.length).toBeGreaterThan(2);
    expect(nodes.map(({ name }: { name: string }) => name)).toEqual(cities.slice(0, 2));
    expect(edges.map(({ node }: { node: object }) => node)).toEqual(nodes);
    expect(pageInfo).toEqual({
      startCursor: edges[0].cursor,
      endCursor: edges[1].cursor,
      hasNextPage: true,
      hasPreviousPage: false,
    });
  });

  test.each([
    '{ country(code: "LUX") { cityPages(after: "made up") { nodes { name } } } }',
    '{ country(code: "LUX") { cityPages(first: 1001) { nodes { name } } } }',
    '{ country(code: "LUX") { cityPages(first: -1) { nodes { name } } } }',
    '{ city(id: 2960316) { smaller(limit: 0) { name } } }',
  ])('a page that cannot be is refused with a reason: %s', async query => {
    const { errors } = await ask(query);
    const message = expect.stringMatching(/cursor|first|limit/);
    expect(errors).toMatchObject([{ message, extensions: { code: 'BAD_USER_INPUT' } }]);
  });

  test('how many countries speak each language: two statements', async () => {
    const query = '{ languages { code countryCount } }';
    // No query of the tour has used the table of who speaks what like this.
    await ask(query);
    const { data, statements } = await ask(query);
    for (const { code, countryCount } of data.languages) {
      expect([code, countryCount]).toEqual([code, world.speaking(code).length]);
    }
    expect(statements).toHaveLength(2);
  });

  test('what is not there is null', async () => {
    const { data } = await ask('{ country(code: "XXX") { name } city(id: -1) { name } traveller(id: 0) { name } }');
    expect(data).toEqual({ country: null, city: null, traveller: null });
  });

  test.each([
    ['{ countries(limit: 0) { name } }', 'limit must be from 1 to 1000, but got: 0. Use offset to read on.'],
    [
      '{ country(code: "LUX") { cities(limit: 1001) { name } } }',
      'limit must be from 1 to 1000, but got: 1001. Use offset to read on.',
    ],
    ['{ cities(offset: -1) { name } }', 'offset must be 0 or more, but got: -1.'],
    [
      '{ cities(startsWith: " ") { name } }',
      'startsWith must hold at least one letter. Leave it out to get all cities.',
    ],
    [
      '{ countries(region: "Europa") { name } }',
      'No region is called "Europa". There are: Africa, Americas, Antarctic, Asia, Europe, Oceania.',
    ],
  ])('%s is refused with a reason', async (query, message) => {
    const { errors } = await ask(query);
    expect(errors).toMatchObject([{ message, extensions: { code: 'BAD_USER_INPUT' } }]);
  });
});

describe('adding a visit', () => {
  const LUXEMBOURG = 2_960_316;

  test('is there for the next request, though that reads from the replica', async () => {
    for (const traveller of [1, 2, 3, 4, 5]) {
      const added = await ask(queries.ADD_VISIT, { traveller, city: LUXEMBOURG, day: '2026-11-20' });
      expect(added.errors).toBeUndefined();
      expect(added.data.addVisit).toMatchObject({
        day: '2026-11-20',
        city: { name: 'Luxembourg', country: { name: 'Luxembourg' } },
      });
      const { data, statements } = await ask(
        `{ city(id: ${LUXEMBOURG}) { visitCount visits(limit: 100) { day traveller { id } } } }`,
      );
      expect(data.city.visits).toContainEqual({ day: '2026-11-20', traveller: { id: traveller } });
      expect(data.city.visitCount).toBe(data.city.visits.length);
      expect(statements.every(({ via }) => via === 'replica')).toBe(true);
    }
  });

  test('writes to the primary, in one insert', async () => {
    const { statements } = await ask(queries.ADD_VISIT, { traveller: 6, city: LUXEMBOURG });
    const written = statements.filter(({ via }) => via === 'primary').map(({ sql }) => sql);
    expect(written).toEqual(['begin', expect.stringMatching(/^insert into "atlas"\."visit"/), 'commit']);
  });

  test('is for once per city, for those who exist, on days that exist', async () => {
    const message = async (variables: object): Promise<string | undefined> =>
      (await ask(queries.ADD_VISIT, variables)).errors?.[0]?.message;
    await ask(queries.ADD_VISIT, { traveller: 7, city: LUXEMBOURG });
    expect(await message({ traveller: 7, city: LUXEMBOURG })).toMatch(/ has been to Luxembourg already\.$/);
    expect(await message({ traveller: 0, city: LUXEMBOURG })).toBe('There is no traveller 0.');
    expect(await message({ traveller: 8, city: 1 })).toMatch(/^There is no city 1\./);
    expect(await message({ traveller: 8, city: LUXEMBOURG, day: '2026-02-30' })).toBe(
      'day must be a date such as 2026-11-20, but got: "2026-02-30".',
    );
  });
});

describe('GraphiQL', () => {
  test('is one page that loads nothing from elsewhere', async () => {
    const response = await fetch(url, { headers: { accept: 'text/html' } });
    const page = await response.text();
    // What the browser enforces …
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
    );
    // … and what it would otherwise have had to refuse: nothing, outside the scripts and styles that the page carries.
    const markup = page.replaceAll(/<script>[^]*<\/script>|<style>[^]*?<\/style>/g, '').replaceAll(/data:[^"]*/g, '');
    expect(markup).toContain('<title>Atlas</title>');
    expect(markup).not.toMatch(/https?:|\/\/|<script/);
    expect(page).toContain('renderYogaGraphiQL');
    expect(page).toContain('query NeighboursCurrencies');
  });

  test('is where the root leads', async () => {
    const response = await fetch(new URL('/', url), { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/graphql']);
  });
});
