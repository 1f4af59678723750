import { inspect } from 'node:util';
import { OptionsError } from '../errors.ts';
import type { TokenCookieOptions, TokenOptions } from './token-options.ts';

/** The name of the header where `header` is not given. */
export const DEFAULT_HEADER = 'x-mikrokit-replica-token';

const DEFAULT_COOKIE = 'mikrokit-replica-token';
const DEFAULT_MAX_AGE = 60_000;
/** Browsers keep no cookie for longer than 400 days (RFC 6265bis, 5.5). */
const MOST_MAX_AGE = 400 * 24 * 60 * 60_000;

const SAME_SITE = { strict: 'Strict', lax: 'Lax', none: 'None' } as const;

/** `TokenOptions` with every default filled in. */
export interface TokenSettings<Request = unknown> {
  readonly cookie: TokenCookie | undefined;
  /** In lower case. */
  readonly header: string | undefined;
  readonly trustProxy: boolean;
  readonly consistency: TokenOptions<Request>['consistency'];
  readonly key: TokenOptions<Request>['key'];
}

/** What is fixed of the cookie. */
export interface TokenCookie {
  readonly name: string;
  /** What follows the value, `Secure` aside. */
  readonly attributes: string;
  /** `undefined`: as the request came. */
  readonly secure: boolean | undefined;
}

/** Pure. @param caller the public function, for messages @throws {OptionsError} */
export function tokenSettings<Request>(caller: string, options: TokenOptions<Request> = {}): TokenSettings<Request> {
  checkNames(caller, 'options', options, ['cookie', 'header', 'trustProxy', 'consistency', 'key']);
  const { cookie = {}, header = DEFAULT_HEADER, trustProxy = false, consistency, key } = options;
  checkFlag(caller, 'trustProxy', trustProxy);
  checkFunction(caller, 'consistency', consistency);
  checkFunction(caller, 'key', key);
  return {
    cookie: cookie === false ? undefined : cookieSettings(caller, cookie),
    header: header === false ? undefined : checkedName(caller, 'header', header).toLowerCase(),
    trustProxy,
    consistency,
    key,
  };
}

function cookieSettings(caller: string, options: TokenCookieOptions): TokenCookie {
  checkNames(caller, 'cookie', options, ['name', 'maxAge', 'secure', 'sameSite', 'path', 'domain']);
  const { name = DEFAULT_COOKIE, maxAge = DEFAULT_MAX_AGE, secure, sameSite = 'lax', path = '/', domain } = options;
  checkedName(caller, 'cookie.name', name);
  if (typeof maxAge !== 'number' || !(maxAge > 0) || maxAge > MOST_MAX_AGE) {
    throw wrong(caller, 'cookie.maxAge', `a number of ms above 0, at most ${MOST_MAX_AGE} (400 days)`, maxAge);
  }
  if (secure !== undefined) {
    checkFlag(caller, 'cookie.secure', secure);
  }
  if (!Object.hasOwn(SAME_SITE, sameSite)) {
    throw wrong(caller, 'cookie.sameSite', "'strict', 'lax' or 'none'", sameSite);
  }
  if (sameSite === 'none' && secure === false) {
    throw wrong(caller, 'cookie.secure', "true with sameSite: 'none', without it browsers drop the cookie,", secure);
  }
  if (typeof path !== 'string' || !/^\/[!-:<-~]*$/.test(path)) {
    throw wrong(caller, 'cookie.path', "a path that begins with '/', of visible ASCII characters without ';',", path);
  }
  if (domain !== undefined && (typeof domain !== 'string' || !/^[A-Za-z0-9.-]{1,253}$/.test(domain))) {
    throw wrong(caller, 'cookie.domain', 'a host name', domain);
  }
  const seconds = Math.ceil(maxAge / 1000);
  const host = domain === undefined ? '' : `; Domain=${domain}`;
  return {
    name,
    attributes: `; Max-Age=${seconds}; Path=${path}${host}; HttpOnly; SameSite=${SAME_SITE[sameSite]}`,
    secure,
  };
}

/** A token in the sense of RFC 9110, 5.6.2: what names of headers and cookies consist of. */
function checkedName(caller: string, option: string, value: unknown): string {
  if (typeof value !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(value)) {
    throw wrong(caller, option, 'a name of 1 to 100 letters, digits and - _ . (or false for none)', value);
  }
  return value;
}

function checkFlag(caller: string, option: string, value: unknown): void {
  if (typeof value !== 'boolean') {
    throw wrong(caller, option, 'true or false', value);
  }
}

function checkFunction(caller: string, option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') {
    throw wrong(caller, option, 'a function of the request', value);
  }
}

function checkNames(caller: string, option: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null) {
    throw wrong(caller, option, 'an object', value);
  }
  const unknown = Object.keys(value).find(name => !known.includes(name));
  if (unknown !== undefined) {
    throw new OptionsError(
      unknown,
      `${caller}: ${option} may have ${known.join(', ')}, but got: ${inspect(unknown)}. Remove it or correct its name.`,
    );
  }
}

function wrong(caller: string, option: string, contract: string, value: unknown): OptionsError {
  const got = inspect(value, { depth: 0, maxStringLength: 100, breakLength: Infinity });
  return new OptionsError(
    option,
    `${caller}: ${option} must be ${contract}, but is ${got}. Correct it or leave it out for the default.`,
  );
}
