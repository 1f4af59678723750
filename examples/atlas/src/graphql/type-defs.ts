/** The schema. Its descriptions are what GraphiQL shows. */
export const typeDefs = /* GraphQL */ `
  type Query {
    "Countries by name, of one region or of the world."
    countries(
      "One of: Africa, Americas, Antarctic, Asia, Europe, Oceania."
      region: String
      limit: Int! = 250
      offset: Int! = 0
    ): [Country!]!
    "One country by its ISO 3166-1 alpha-3 code, such as LUX."
    country(code: ID!): Country
    "Cities, largest first: of one country, or those whose name begins with some letters, or all."
    cities(startsWith: String, country: ID, limit: Int! = 10, offset: Int! = 0): [City!]!
    "One city by its GeoNames id."
    city(id: Int!): City
    "Languages by name."
    languages(limit: Int! = 200, offset: Int! = 0): [Language!]!
    language(code: ID!): Language
    "Currencies by name."
    currencies(limit: Int! = 200, offset: Int! = 0): [Currency!]!
    currency(code: ID!): Currency
    travellers(limit: Int! = 50, offset: Int! = 0): [Traveller!]!
    traveller(id: Int!): Traveller
    "Visits, latest first."
    visits(limit: Int! = 50, offset: Int! = 0): [Visit!]!
  }

  type Mutation {
    "A traveller was in a city. Each city counts once per traveller."
    addVisit(traveller: Int!, city: Int!, "As 2026-11-20; today when not given." day: String): Visit!
  }

  type Country {
    "ISO 3166-1 alpha-3."
    code: ID!
    name: String!
    region: String!
    subregion: String
    capitals: [String!]!
    "Square kilometres."
    area: Float!
    flag: String!
    "Inhabitants of the cities Atlas knows."
    urbanPopulation: Int!
    languages: [Language!]!
    currencies: [Currency!]!
    neighbours: [Country!]!
    neighbourCount: Int!
    "Largest first."
    cities(limit: Int! = 10, offset: Int! = 0, minPopulation: Int! = 0): [City!]!
    "From A to Z, a page at a time: on from 'pageInfo.endCursor' of the last one."
    cityPages(first: Int! = 10, after: String, startsWith: String, minPopulation: Int! = 0): CityConnection!
    cityCount: Int!
  }

  type CityConnection {
    edges: [CityEdge!]!
    nodes: [City!]!
    pageInfo: PageInfo!
    "On all pages."
    totalCount: Int!
  }

  type CityEdge {
    node: City!
    cursor: String!
  }

  type PageInfo {
    startCursor: String
    endCursor: String
    hasNextPage: Boolean!
    hasPreviousPage: Boolean!
  }

  type City {
    "Its id in GeoNames."
    id: Int!
    name: String!
    population: Int!
    latitude: Float!
    longitude: Float!
    country: Country!
    "Those of its country that come next in size."
    smaller(limit: Int! = 3): [City!]!
    "Latest first."
    visits(limit: Int! = 10, offset: Int! = 0): [Visit!]!
    visitCount: Int!
  }

  type Language {
    "ISO 639-3."
    code: ID!
    name: String!
    countries: [Country!]!
    countryCount: Int!
  }

  type Currency {
    "ISO 4217."
    code: ID!
    name: String!
    symbol: String!
    countries: [Country!]!
    countryCount: Int!
  }

  type Traveller {
    id: Int!
    name: String!
    home: City!
    "Latest first."
    visits(limit: Int! = 10, offset: Int! = 0): [Visit!]!
    visitCount: Int!
  }

  type Visit {
    traveller: Traveller!
    city: City!
    "As 2026-11-20."
    day: String!
  }
`;
