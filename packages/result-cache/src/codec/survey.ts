import { types } from 'node:util';
import type { EntityClass, PolymorphicRef } from '@mikro-orm/core';
import type { Polymorphic } from './polymorphic.ts';

/** Where something is in a value, from the outside in. */
export type Path = readonly (string | number)[];

/** What {@link surveyOf} finds out about a value that can be stored. */
export interface Survey {
  /** msgpackr would lose something of it: it has to be stored in V8's format. */
  readonly lossless: boolean;
  /** References, each of which has one place. */
  readonly references: ReadonlyMap<PolymorphicRef, Path>;
  /** Names of the classes that objects have as their hidden `constructor`. */
  readonly classes: readonly { readonly path: Path; readonly name: string }[];
}

/** Deeper values are not stored: decoding is recursive, and has to end well with whatever stack its caller has left. */
const MAX_DEPTH = 500;

/** One walk over all of a value, which changes nothing. @returns `undefined` if it, or a part of it, cannot be stored */
export function surveyOf(value: unknown, polymorphic: Polymorphic | undefined): Survey | undefined {
  const surveyor = new Surveyor(polymorphic);
  return surveyor.admits(value, 0) ? surveyor : undefined;
}

class Surveyor implements Survey {
  lossless = false;
  readonly references = new Map<PolymorphicRef, Path>();
  readonly classes: { path: Path; name: string }[] = [];

  readonly #polymorphic: Polymorphic | undefined;
  readonly #seen = new Set<object>();
  readonly #keys = new Set<string>();
  /** Of what is being looked at; longer than that, since leaving a level does not cut it. */
  readonly #path: (string | number)[] = [];
  /** Whether a path leads here. None leads into a Map or a Set. */
  #reachable = true;

  constructor(polymorphic: Polymorphic | undefined) {
    this.#polymorphic = polymorphic;
  }

  admits(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'string':
        this.#text(value);
        return true;
      case 'number':
        if (value === 0 && Object.is(value, -0)) {
          this.lossless = true;
        }
        return true;
      case 'undefined':
      case 'boolean':
      case 'bigint':
        return true;
      case 'object':
        return value === null || (depth < MAX_DEPTH && this.#object(value, depth));
      default:
        return false;
    }
  }

  #text(text: string): void {
    // Of a long string msgpackr's decoder drops a leading byte order mark.
    if (!text.isWellFormed() || text.charCodeAt(0) === 0xfeff) {
      this.lossless = true;
    }
  }

  #object(value: object, depth: number): boolean {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (this.#seen.has(value)) {
      // Twice the same object, or a cycle: V8's format keeps what is the same. A reference is stored beside the value,
      // once per place, and would become two.
      this.lossless = true;
      return !this.references.has(value as PolymorphicRef);
    }
    this.#seen.add(value);
    if (prototype === Object.prototype || prototype === null) {
      return this.#plain(value as Record<string, unknown>, depth);
    }
    if (prototype === Array.prototype) {
      return this.#array(value as readonly unknown[], depth);
    }
    if (prototype === Date.prototype) {
      return types.isDate(value) && ownKeyCount(value) === 0;
    }
    if (prototype === Buffer.prototype || prototype === Uint8Array.prototype) {
      // Properties of its own are not looked for: every byte is one.
      return types.isUint8Array(value);
    }
    if (this.#polymorphic?.isReference(value)) {
      return this.#reference(value, depth);
    }
    return this.#collection(value, prototype, depth);
  }

  #plain(value: Record<string, unknown>, depth: number): boolean {
    const keys = Object.keys(value);
    if (ownKeyCount(value) !== keys.length && !this.#hiddenClass(value, keys.length, depth)) {
      return false;
    }
    for (const key of keys) {
      // The same for all rows.
      if (!this.#keys.has(key)) {
        this.#keys.add(key);
        this.lossless ||= key === '__proto__';
        this.#text(key);
      }
      this.#path[depth] = key;
      if (!this.admits(value[key], depth + 1)) {
        return false;
      }
    }
    return true;
  }

  /** Of what is not enumerable, only the class of a joined polymorphic row is known. */
  #hiddenClass(value: object, enumerable: number, depth: number): boolean {
    const hidden = Object.getOwnPropertyDescriptor(value, 'constructor');
    if (
      hidden === undefined ||
      hidden.enumerable === true ||
      typeof hidden.value !== 'function' ||
      ownKeyCount(value) !== enumerable + 1 ||
      !this.#reachable
    ) {
      return false;
    }
    const target = hidden.value as EntityClass;
    const name = this.#polymorphic?.nameOf(target);
    // Not if another class of that name would be found.
    if (name === undefined || this.#polymorphic?.classOf(name) !== target) {
      return false;
    }
    this.classes.push({ path: this.#path.slice(0, depth), name });
    return true;
  }

  #array(value: readonly unknown[], depth: number): boolean {
    if (ownKeyCount(value) !== value.length + 1) {
      return this.#sparse(value, depth);
    }
    for (let index = 0; index < value.length; index++) {
      // As many keys as elements, and yet one missing: it has a property in its place.
      if (value[index] === undefined && !Object.hasOwn(value, index)) {
        return false;
      }
      this.#path[depth] = index;
      if (!this.admits(value[index], depth + 1)) {
        return false;
      }
    }
    return true;
  }

  /** An array with holes, by its keys: it may be as long as arrays can be. */
  #sparse(value: readonly unknown[], depth: number): boolean {
    this.lossless = true;
    for (const key of Reflect.ownKeys(value)) {
      if (key === 'length') {
        continue;
      }
      const index = Number(typeof key === 'string' ? key : Number.NaN);
      if (!(index < value.length) || String(index) !== key) {
        return false;
      }
      this.#path[depth] = index;
      if (!this.admits(value[index], depth + 1)) {
        return false;
      }
    }
    return true;
  }

  #reference(value: PolymorphicRef, depth: number): boolean {
    if (!this.#reachable || typeof value.discriminator !== 'string' || Object.keys(value).length !== 2) {
      return false;
    }
    this.references.set(value, this.#path.slice(0, depth));
    return this.#unreachable(() => this.admits(value.discriminator, depth + 1) && this.admits(value.id, depth + 1));
  }

  #collection(value: object, prototype: unknown, depth: number): boolean {
    if (prototype === RegExp.prototype) {
      return types.isRegExp(value) && ownKeyCount(value) === 1 && (value as RegExp).lastIndex === 0;
    }
    if (ownKeyCount(value) > 0) {
      return false;
    }
    if (prototype === Map.prototype && types.isMap(value)) {
      return this.#unreachable(() => {
        for (const [key, item] of value) {
          if (!this.admits(key, depth + 1) || !this.admits(item, depth + 1)) {
            return false;
          }
        }
        return true;
      });
    }
    if (prototype === Set.prototype && types.isSet(value)) {
      return this.#unreachable(() => {
        for (const item of value) {
          if (!this.admits(item, depth + 1)) {
            return false;
          }
        }
        return true;
      });
    }
    return false;
  }

  #unreachable(look: () => boolean): boolean {
    const before = this.#reachable;
    this.#reachable = false;
    const admitted = look();
    this.#reachable = before;
    return admitted;
  }
}

/** Not by `Reflect.ownKeys()`, which takes twenty times as long. */
function ownKeyCount(value: object): number {
  return Object.getOwnPropertyNames(value).length + Object.getOwnPropertySymbols(value).length;
}
