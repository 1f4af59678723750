import { connect, createServer, type Server } from 'node:net';
import { ProxyConnection } from './proxy-connection.ts';
import { HarnessError } from './errors.ts';

/** What the proxy does to the connections through it. */
export type ProxyMode =
  /** Forwards. */
  | { readonly name: 'pass' }
  /** Nobody listens: a new connection gets ECONNREFUSED, the existing ones are reset, as after a server was killed. */
  | { readonly name: 'refuse' }
  /** Accepts and resets, at once: ECONNRESET. */
  | { readonly name: 'reset' }
  /** Accepts, forwards nothing and answers nothing; what was sent meanwhile arrives once another mode lets it. */
  | { readonly name: 'blackHole' }
  /** Each byte arrives `ms` later, in each direction. */
  | { readonly name: 'delay'; readonly ms: number }
  /** At most so many bytes per second, for each connection and direction. */
  | { readonly name: 'throttle'; readonly bytesPerSecond: number };

export interface ProxyStats {
  /** Connections accepted since the start. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  /** Bytes forwarded from clients to the server. */
  readonly bytesUp: number;
  /** Bytes forwarded from the server to clients. */
  readonly bytesDown: number;
  /** Connections that `cut()` has reset. */
  readonly cut: number;
}

/** One connection is to be reset: the next whose client sends a certain text. */
export interface Cut {
  /** In lower case. */
  readonly text: string;
  readonly at: CutAt;
}

/** `request`: the text never reaches the server; `answer`: the server has answered, and its answer is lost. */
export type CutAt = 'request' | 'answer';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** A TCP proxy that misbehaves on demand. A mode holds for existing connections and new ones, from the moment it is set. */
export interface Proxy {
  readonly port: number;
  readonly mode: ProxyMode;
  readonly stats: ProxyStats;
  /** `host:port` of the target replaced by the proxy's in the url it was started with. @param database path to use instead */
  url(database?: string): string;
  pass(): Promise<void>;
  refuse(): Promise<void>;
  reset(): Promise<void>;
  blackHole(): Promise<void>;
  /** @param ms in each direction */
  delay(ms: number): Promise<void>;
  throttle(bytesPerSecond: number): Promise<void>;
  /**
   * Resets one connection, the next whose client sends `text` (in any case, in one piece: a short statement is). Works in
   * mode `pass`. Called again before that it replaces what was asked; `stats.cut` tells when it has happened.
   */
  cut(text: string, at: CutAt): void;
  /** Resets what is open and stops listening. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a proxy on a free port of 127.0.0.1 in front of a real server. */
export async function startProxy(target: string | Target): Promise<Proxy> {
  const proxy = new FaultProxy(typeof target === 'string' ? target : `tcp://${target.host}:${target.port}`);
  await proxy.pass();
  return proxy;
}

const defaultPorts: Record<string, number> = { 'postgresql:': 5432, 'postgres:': 5432, 'redis:': 6379 };

class FaultProxy implements Proxy {
  readonly #url: URL;
  readonly #target: Target;
  readonly #open = new Set<ProxyConnection>();
  #server: Server | undefined;
  #port = 0;
  #mode: ProxyMode = { name: 'pass' };
  #accepted = 0;
  #bytesUp = 0;
  #bytesDown = 0;
  #cuts = 0;
  #cut: Cut | undefined;

  constructor(url: string) {
    const port = URL.canParse(url) ? Number(new URL(url).port) || defaultPorts[new URL(url).protocol] : undefined;
    if (port === undefined) {
      throw new HarnessError(`startProxy() expects a server's { host, port } or a url with a port, but got ${url}.`);
    }
    this.#url = new URL(url);
    this.#target = { host: this.#url.hostname, port };
  }

  get port(): number {
    return this.#port;
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  get stats(): ProxyStats {
    return {
      accepted: this.#accepted,
      open: this.#open.size,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      cut: this.#cuts,
    };
  }

  url(database?: string): string {
    const url = new URL(this.#url);
    // Not `url.port`: a scheme that URL does not know (redis, postgresql) takes host and port all the same.
    url.host = `127.0.0.1:${this.#port}`;
    if (database !== undefined) {
      url.pathname = `/${encodeURIComponent(database)}`;
    }
    return url.href;
  }

  pass(): Promise<void> {
    return this.#enter({ name: 'pass' });
  }

  refuse(): Promise<void> {
    return this.#enter({ name: 'refuse' });
  }

  reset(): Promise<void> {
    return this.#enter({ name: 'reset' });
  }

  blackHole(): Promise<void> {
    return this.#enter({ name: 'blackHole' });
  }

  async delay(ms: number): Promise<void> {
    await this.#enter({ name: 'delay', ms: positive('delay(ms)', ms) });
  }

  async throttle(bytesPerSecond: number): Promise<void> {
    await this.#enter({ name: 'throttle', bytesPerSecond: positive('throttle(bytesPerSecond)', bytesPerSecond) });
  }

  cut(text: string, at: CutAt): void {
    this.#cut = { text: text.toLowerCase(), at };
  }

  stop(): Promise<void> {
    return this.refuse();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #enter(mode: ProxyMode): Promise<void> {
    this.#mode = mode;
    if (mode.name === 'refuse') {
      await this.#close();
      return;
    }
    if (mode.name === 'reset') {
      this.#resetAll();
    }
    this.#open.forEach(connection => connection.enter(mode));
    await this.#listen();
  }

  async #listen(): Promise<void> {
    if (this.#server) {
      return;
    }
    // allowHalfOpen: one side's end is passed on as just that.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, client => {
      this.#accepted++;
      if (this.#mode.name === 'reset') {
        client.on('error', () => {});
        client.resetAndDestroy();
        return;
      }
      const upstream = connect({ ...this.#target, allowHalfOpen: true });
      const connection = new ProxyConnection(client, upstream, this.#mode, {
        up: bytes => void (this.#bytesUp += bytes),
        down: bytes => void (this.#bytesDown += bytes),
        closed: () => void this.#open.delete(connection),
        request: data => this.#cutAt(data),
      });
      this.#open.add(connection);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    const address = server.address();
    this.#port = typeof address === 'object' && address ? address.port : this.#port;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#resetAll();
    if (server) {
      await new Promise<void>(resolve => server.close(() => resolve()));
    }
  }

  #cutAt(data: Buffer): CutAt | undefined {
    const cut = this.#cut;
    if (cut === undefined || !data.toString('latin1').toLowerCase().includes(cut.text)) {
      return undefined;
    }
    this.#cut = undefined;
    this.#cuts += 1;
    return cut.at;
  }

  #resetAll(): void {
    this.#open.forEach(connection => connection.reset());
  }
}

function positive(what: string, value: number): number {
  if (!Number.isFinite(value) || value <= 0) {
    throw new HarnessError(`${what} expects a number above 0, but got ${value}. To forward normally call pass().`);
  }
  return value;
}
