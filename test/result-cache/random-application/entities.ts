import { defineEntity, p } from '@mikro-orm/postgresql';

export const Person = defineEntity({
  name: 'Person',
  properties: {
    id: p.integer().primary(),
    email: p.string().unique(),
    name: p.string(),
    age: p.integer().nullable(),
    posts: () => p.oneToMany(Post).mappedBy('author'),
    memberships: () => p.oneToMany(Membership).mappedBy('person'),
  },
});

export const Tag = defineEntity({
  name: 'Tag',
  properties: {
    id: p.integer().primary(),
    name: p.string().unique(),
    posts: () => p.manyToMany(Post).mappedBy('tags'),
  },
});

/** Whoever deletes a person leaves posts without an author, in a table that the statement does not name. */
export const Post = defineEntity({
  name: 'Post',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    score: p.integer(),
    author: () => p.manyToOne(Person).ref().nullable().deleteRule('set null'),
    tags: () => p.manyToMany(Tag).owner(),
    comments: () => p.oneToMany(Comment).mappedBy('post'),
  },
});

/** Read in parts: a write to the comments of one post leaves those of others cached. */
export const Comment = defineEntity({
  name: 'Comment',
  resultCache: { partitionBy: ['post'] },
  properties: {
    id: p.integer().primary().autoincrement(),
    text: p.string(),
    post: () => p.manyToOne(Post).ref().deleteRule('cascade'),
    author: () => p.manyToOne(Person).ref().nullable().deleteRule('set null'),
  },
});

/** A composite key, of which one part is a relation. */
export const Membership = defineEntity({
  name: 'Membership',
  properties: {
    person: () => p.manyToOne(Person).ref().primary().deleteRule('cascade'),
    team: p.integer().primary(),
    role: p.string(),
  },
});

/** Single-table inheritance. */
export const Animal = defineEntity({
  name: 'Animal',
  abstract: true,
  discriminatorColumn: 'kind',
  properties: {
    id: p.integer().primary(),
    kind: p.string(),
    name: p.string(),
    owner: () => p.manyToOne(Person).ref().nullable().deleteRule('cascade'),
  },
});
export const Cat = defineEntity({
  name: 'Cat',
  extends: Animal,
  discriminatorValue: 'cat',
  properties: { lives: p.integer().nullable() },
});
export const Dog = defineEntity({
  name: 'Dog',
  extends: Animal,
  discriminatorValue: 'dog',
  properties: { breed: p.string().nullable() },
});

/** Table-per-type inheritance. */
export const Vehicle = defineEntity({
  name: 'Vehicle',
  inheritance: 'tpt',
  properties: { id: p.integer().primary(), plate: p.string() },
});
export const Car = defineEntity({ name: 'Car', extends: Vehicle, properties: { doors: p.integer() } });
export const Truck = defineEntity({ name: 'Truck', extends: Vehicle, properties: { load: p.integer() } });

/** Small, and emptied now and then. */
export const Visit = defineEntity({
  name: 'Visit',
  properties: { id: p.integer().primary().autoincrement(), page: p.integer(), seconds: p.integer() },
});

export const ENTITIES = [Person, Tag, Post, Comment, Membership, Animal, Cat, Dog, Vehicle, Car, Truck, Visit];

/** Their tables. */
export const TABLES = [
  'person',
  'tag',
  'post',
  'post_tags',
  'comment',
  'membership',
  'animal',
  'vehicle',
  'car',
  'truck',
  'visit',
] as const;

export type Table = (typeof TABLES)[number];

/** Ids are drawn from so few that reads and writes meet, and writes collide. */
export const PEOPLE = 10;
export const POSTS = 16;
export const TAGS = 6;
export const TEAMS = 3;
export const ANIMALS = 8;
export const VEHICLES = 8;
export const PAGES = 4;
