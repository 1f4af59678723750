import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { atExit } from './at-exit.ts';
import { HarnessError } from './errors.ts';
import { freePort } from './free-port.ts';
import { send, waitForEnd } from './processes.ts';
import { redisServer } from './redis-server.ts';
import { temporaryFolderFor } from './temporary.ts';
import { guardServer } from './watchdog.ts';

/** A real Redis (or Valkey) server. */
export interface RedisServer {
  readonly url: string;
  /** `undefined` when it is one of your own (REDIS_URL). */
  readonly pid: number | undefined;
  /** A new client; it is disconnected when the server stops. */
  client(): Redis;
  /** Empties the database that `url` names. */
  flush(): Promise<void>;
  /** SIGSTOP, SIGCONT, SIGKILL: only for a server that the harness has started. */
  signal(signal: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface RedisOptions {
  /** Receives a line when something takes noticeable time. @default standard error */
  readonly log?: ((line: string) => void) | undefined;
  /** Arguments of redis-server, such as `['--maxmemory', '2mb']`: a server of the harness's own, whatever REDIS_URL says. */
  readonly args?: readonly string[] | undefined;
  /** The port of one that was stopped, to start it again: as `args`. @default a free one */
  readonly port?: number | undefined;
}

const startTimeout = 10_000;

/**
 * The server that REDIS_URL names, else one of its own: redis-server or valkey-server from PATH (installed first where
 * apt-get and root allow it) on a free loopback port, with nothing on disk.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { log = toStandardError, args, port } = options;
  const url = process.env['REDIS_URL'];
  if (url && args === undefined && port === undefined) {
    return serve(checked(url), undefined, async () => {});
  }
  const program = await redisServer(log);
  for (let attempt = 1; ; attempt++) {
    const started = await launch(program, port ?? (await freePort()), args);
    if (started) {
      return started;
    }
    if (attempt === 5) {
      throw new HarnessError(
        `${program} has to accept connections, but ended at once, ${attempt} times. Start it by hand to see why, or set REDIS_URL.`,
      );
    }
  }
}

/** Resolves with nothing when the server ended while starting: somebody may have taken the port. */
async function launch(program: string, port: number, args: readonly string[] = []): Promise<RedisServer | undefined> {
  const { path: folder, unguard: unguardFolder } = temporaryFolderFor(undefined, 'mikrokit-redis-');
  const child = spawn(
    program,
    [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--daemonize',
      'no',
      '--dir',
      folder,
      ...args,
    ],
    { stdio: 'ignore', detached: true },
  );
  let ended = false;
  const onEnd = (): void => void (ended = true);
  child.once('exit', onEnd);
  child.once('error', onEnd);
  child.unref();
  const unguard = child.pid === undefined ? () => {} : guardServer(child.pid, 'TERM');
  const unregister = atExit({ stop: () => stop(), kill: () => child.kill('SIGTERM') });
  const stop = async (): Promise<void> => {
    await end(child);
    unguard();
    rmSync(folder, { recursive: true, force: true });
    unguardFolder();
    unregister();
  };
  const url = `redis://127.0.0.1:${port}/0`;
  if (await answers(url, () => ended)) {
    return serve(url, child, stop);
  }
  await stop();
  return undefined;
}

function serve(url: string, child: ChildProcess | undefined, stopServer: () => Promise<void>): RedisServer {
  const clients = new Set<Redis>();
  const client = (): Redis => {
    const made = new Redis(url);
    // Tests stop and freeze servers: without a listener ioredis prints each lost connection.
    made.on('error', () => {});
    clients.add(made);
    return made;
  };
  const run = async (): Promise<void> => {
    clients.forEach(each => each.disconnect());
    await stopServer();
  };
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= run());
  return {
    url,
    get pid() {
      return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
    },
    client,
    async flush() {
      await once(url, redis => redis.flushdb());
    },
    async signal(signal) {
      if (child?.pid === undefined) {
        throw new HarnessError(
          `signal('${signal}') expects a server that the harness has started, but REDIS_URL names one of your own. Unset REDIS_URL.`,
        );
      }
      send(child.pid, signal);
      if (signal === 'SIGKILL') {
        await waitForEnd([child.pid], startTimeout);
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function end(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) {
    return;
  }
  send(pid, 'SIGTERM');
  send(pid, 'SIGCONT'); // A frozen server would not get the signal.
  if (!(await waitForEnd([pid], 5_000))) {
    send(pid, 'SIGKILL');
    await waitForEnd([pid], 5_000);
  }
}

/** False when the server ended instead. */
async function answers(url: string, ended: () => boolean): Promise<boolean> {
  const deadline = performance.now() + startTimeout;
  while (!ended()) {
    try {
      await once(url, redis => redis.ping());
      return true;
    } catch (cause) {
      if (performance.now() > deadline) {
        throw new HarnessError(`Redis has to answer at ${url} within ${startTimeout} ms, but did not.`, { cause });
      }
      await sleep(10);
    }
  }
  return false;
}

/** One command over a connection of its own. */
async function once<T>(url: string, command: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: startTimeout,
  });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return await command(redis);
  } finally {
    redis.disconnect();
  }
}

function checked(url: string): string {
  if (URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol)) {
    return url;
  }
  throw new HarnessError(`REDIS_URL has to be a url such as redis://host:6379/0, but is "${url}".`);
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
