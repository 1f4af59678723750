/** The text without the indentation it has here: this is how GraphiQL and a terminal show it. */
function gql(text: TemplateStringsArray): string {
  const lines = text.join('').split('\n').slice(1);
  const indent = /^ */.exec(lines[0] ?? '')![0].length;
  return lines
    .map(line => line.slice(indent))
    .join('\n')
    .trimEnd();
}

/** A query that the tour measures, GraphiQL offers in a tab, and the tests check the answer of. */
export interface NamedQuery {
  name: string;
  /** What it asks, in a few words. */
  asks: string;
  document: string;
}

export const WORLD: NamedQuery = {
  name: 'World',
  asks: 'every country: region, languages, neighbours, three largest cities and how many there are',
  document: gql`
    query World {
      countries {
        name
        flag
        region
        languages {
          name
        }
        neighbours {
          name
        }
        cities(limit: 3) {
          name
          population
        }
        cityCount
      }
    }
  `,
};

export const NEIGHBOURS_CURRENCIES: NamedQuery = {
  name: 'NeighboursCurrencies',
  asks: "a city's country's neighbours' currencies",
  document: gql`
    query NeighboursCurrencies {
      cities(startsWith: "Beijing", limit: 1) {
        name
        country {
          name
          neighbours {
            name
            currencies {
              code
              name
              symbol
            }
          }
        }
      }
    }
  `,
};

export const COUNTS: NamedQuery = {
  name: 'Counts',
  asks: 'every country: number of neighbours and of cities',
  document: gql`
    query Counts {
      countries {
        name
        neighbourCount
        cityCount
      }
    }
  `,
};

export const VISITS: NamedQuery = {
  name: 'Visits',
  asks: 'the latest 200 visits: who, from where, in which city and country',
  document: gql`
    query Visits {
      visits(limit: 200) {
        day
        traveller {
          name
          home {
            name
            country {
              name
            }
          }
        }
        city {
          name
          country {
            name
            flag
          }
        }
      }
    }
  `,
};

export const LANGUAGES: NamedQuery = {
  name: 'Languages',
  asks: 'every language: where it is spoken, and what one pays with there',
  document: gql`
    query Languages {
      languages {
        name
        countries {
          name
          currencies {
            code
          }
        }
      }
    }
  `,
};

export const TRAVELLERS: NamedQuery = {
  name: 'Travellers',
  asks: '50 travellers: number of visits, and the last three with city',
  document: gql`
    query Travellers {
      travellers(limit: 50) {
        name
        visitCount
        visits(limit: 3) {
          day
          city {
            name
          }
        }
      }
    }
  `,
};

export const LARGEST_CITIES: NamedQuery = {
  name: 'LargestCities',
  asks: 'the 100 largest cities: country, visits, the last visitor',
  document: gql`
    query LargestCities {
      cities(limit: 100) {
        name
        population
        country {
          name
        }
        visitCount
        visits(limit: 1) {
          day
          traveller {
            name
          }
        }
      }
    }
  `,
};

export const EUROPE: NamedQuery = {
  name: 'Europe',
  asks: 'Europe: largest city, the next two, and those of a million, all of one relation',
  document: gql`
    query Europe {
      countries(region: "Europe") {
        name
        largest: cities(limit: 1) {
          name
        }
        next: cities(limit: 2, offset: 1) {
          name
        }
        millions: cities(limit: 100, minPopulation: 1000000) {
          name
          population
        }
      }
    }
  `,
};

export const CITY_PAGES: NamedQuery = {
  name: 'CityPages',
  asks: 'Europe: cities of 100 000 and more from A to Z, the first five of each country, and their number',
  document: gql`
    query CityPages {
      countries(region: "Europe") {
        name
        cityPages(first: 5, minPopulation: 100000) {
          totalCount
          nodes {
            name
            population
          }
          pageInfo {
            hasNextPage
            endCursor
          }
        }
      }
    }
  `,
};

export const RUNNERS_UP: NamedQuery = {
  name: 'RunnersUp',
  asks: 'the 100 largest cities: those of the same country that come next, each a page that begins there',
  document: gql`
    query RunnersUp {
      cities(limit: 100) {
        name
        smaller(limit: 3) {
          name
          population
        }
      }
    }
  `,
};

export const QUERIES: readonly NamedQuery[] = [
  WORLD,
  NEIGHBOURS_CURRENCIES,
  COUNTS,
  VISITS,
  LANGUAGES,
  TRAVELLERS,
  LARGEST_CITIES,
  EUROPE,
  CITY_PAGES,
  RUNNERS_UP,
];

export const ADD_VISIT = gql`
  mutation AddVisit($traveller: Int!, $city: Int!, $day: String) {
    addVisit(traveller: $traveller, city: $city, day: $day) {
      day
      traveller {
        name
        visitCount
      }
      city {
        name
        country {
          name
        }
      }
    }
  }
`;
