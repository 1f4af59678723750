import { isObject, oneOf, wrong } from '../checks.ts';
import { clip, NAME } from '../report/clip.ts';

/** Options of `dashboard()`; every one may be left out. */
export interface DashboardOptions {
  /**
   * Where the page is: `/queries`, `/queries.json`, `/queries/…`. Everything else is passed on (`next()`), or is 404. If it
   * is left out, the page is as well wherever a server takes off a prefix (`app.use('/admin/sql', page)` of Express). A server
   * that leaves no trace of the prefix (`app.mount('/queries', page.fetch)` of Hono) needs `'/'`. @default '/queries'
   */
  readonly path?: string | undefined;
  /**
   * Whether a request may see the page, its JSON, and call `/reset`: only `true` opens it. One that throws or rejects keeps
   * it closed. With it, any address may ask, in production as well. @default none: only this machine, and not in production
   */
  readonly authorize?: ((request: AuthorizeRequest) => boolean | Promise<boolean>) | undefined;
  /** `'production'` refuses everything unless there is `authorize`. @default NODE_ENV, if it is one of these */
  readonly environment?: 'development' | 'test' | 'production' | undefined;
  /** Heading of the page. @default 'Queries' */
  readonly title?: string | undefined;
}

/** A request as `authorize` sees it. */
export interface AuthorizeRequest {
  readonly headers: Headers;
  /** Path and query as the client sent them. */
  readonly url: string;
  /** `undefined` where the server does not tell. */
  readonly remoteAddress: string | undefined;
}

/** Options with every default filled in. */
export interface DashboardSettings {
  /** Without a slash at its end; `''` for `/`. */
  readonly path: string;
  /** Whether it was given: then it is there and nowhere else. */
  readonly hasPath: boolean;
  readonly authorize: DashboardOptions['authorize'];
  readonly production: boolean;
  readonly title: string;
}

const known = ['path', 'authorize', 'environment', 'title'];
const environments = ['development', 'test', 'production'] as const;

/** Pure but for NODE_ENV. @throws {OptionsError} */
export function dashboardSettings(options: unknown = {}): DashboardSettings {
  if (!isObject(options)) {
    throw wrong('options', 'of dashboard() is an object', options, 'Leave it out if there is nothing to say.');
  }
  const unknown = Object.keys(options).find(name => !known.includes(name));
  if (unknown !== undefined) {
    throw wrong(
      'options',
      `of dashboard() may have ${known.join(', ')}`,
      unknown,
      'Remove this one or correct its name.',
    );
  }
  const { path = '/queries', authorize, environment, title = 'Queries' } = options as DashboardOptions;
  if (typeof path !== 'string' || !/^\/(?:[\w.~-]+(?:\/[\w.~-]+)*)?$/.test(path) || path.length > NAME) {
    throw wrong(
      'path',
      `begins with '/', does not end with it, and has letters, digits and - _ . ~ between slashes, at most ${NAME} characters`,
      path,
      "Leave it out for '/queries'.",
    );
  }
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw wrong(
      'authorize',
      'is a function of the request that returns true or false',
      authorize,
      'Leave it out for none.',
    );
  }
  if (typeof title !== 'string' || title === '') {
    throw wrong('title', 'is a text that is not empty', title, "Leave it out for 'Queries'.");
  }
  return {
    path: path === '/' ? '' : path,
    hasPath: (options as DashboardOptions).path !== undefined,
    authorize,
    production:
      oneOf('environment', environment, environmentOf(process.env['NODE_ENV']), environments) === 'production',
    title: clip(title, NAME),
  };
}

function environmentOf(name: string | undefined): (typeof environments)[number] {
  return environments.find(each => each === name) ?? 'development';
}
