import type { Program } from './program.ts';
import { Author, Book, Clerk, Club, Coupon, Membership, Passport, Sale, Stamp } from './shop.ts';

/* Loops over relations that are mapped in unusual ways. */

export const mappings: readonly Program[] = [
  {
    name: 'many-to-many with an entity between',
    truth: { kind: 'n+1', fix: "em.find(Club, …, { populate: ['members'] })", proved: 'club.id', parent: 'Club' },
    async run(em) {
      for (const club of await em.find(Club, {})) {
        await club.members.init();
      }
    },
  },
  {
    name: 'that entity',
    truth: { kind: 'n+1', fix: "em.find(Club, …, { populate: ['memberships'] })", proved: 'club.id', parent: 'Club' },
    async run(em) {
      for (const club of await em.find(Club, {})) {
        await club.memberships.loadItems();
      }
    },
  },
  {
    name: 'from that entity on',
    truth: { kind: 'n+1', fix: "em.find(Membership, …, { populate: ['author'] })", proved: 'membership.author_id' },
    async run(em) {
      for (const membership of await em.find(Membership, { club: { $lte: 6 } })) {
        await membership.author.load();
      }
    },
  },
  {
    name: 'a reference by another key than the primary one, of a column with capitals',
    truth: {
      kind: 'n+1',
      fix: "em.find(Sale, …, { populate: ['coupon'] })",
      proved: 'sales.couponCode',
      parent: 'Sale',
    },
    async run(em) {
      for (const sale of await em.find(Sale, {})) {
        await em.findOne(Coupon, { code: sale.coupon.unwrap().code });
      }
    },
  },
  {
    name: 'a reference to a kind of a table, in another schema',
    truth: {
      kind: 'n+1',
      fix: "em.find(Sale, …, { populate: ['soldBy'] })",
      proved: 'sales.soldBy__clerk',
      parent: 'Sale',
    },
    async run(em) {
      for (const sale of await em.find(Sale, {})) {
        await sale.soldBy.load();
      }
    },
  },
  {
    name: 'a reference that only one kind of a table has',
    truth: { kind: 'n+1', fix: "em.find(Clerk, …, { populate: ['desk'] })", proved: 'person.desk_id', parent: 'Clerk' },
    async run(em) {
      for (const clerk of await em.find(Clerk, {})) {
        await clerk.desk?.load();
      }
    },
  },
  {
    name: 'a key that is a reference',
    truth: { kind: 'n+1', fix: "em.find(Passport, …, { populate: ['author'] })", proved: 'passport.author_id' },
    async run(em) {
      for (const passport of await em.find(Passport, {})) {
        await passport.author.load();
      }
    },
  },
  {
    name: 'a reference to a key that is a reference',
    truth: { kind: 'n+1', fix: "em.find(Stamp, …, { populate: ['passport'] })", proved: 'stamp.passport_author_id' },
    async run(em) {
      for (const stamp of await em.find(Stamp, {})) {
        await stamp.passport.load();
      }
    },
  },
  {
    name: 'a collection of what has such a key',
    truth: { kind: 'n+1', fix: "em.find(Passport, …, { populate: ['stamps'] })", proved: 'passport.author_id' },
    async run(em) {
      for (const passport of await em.find(Passport, {})) {
        await passport.stamps.init();
      }
    },
  },
  {
    name: 'some columns only',
    truth: { kind: 'n+1', fix: "em.find(Book, …, { populate: ['author'] })", proved: 'book.author_id', parent: 'Book' },
    async run(em) {
      for (const book of await em.find(Book, {}, { fields: ['title', 'author'] })) {
        await em.findOne(Author, book.author.id, { fields: ['name'] });
      }
    },
  },
];
