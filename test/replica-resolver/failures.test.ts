import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  isAnswerLost,
  isConnectionLost,
  isReadOnly,
  judge,
  type Phase,
  type Verdict,
  type Work,
} from '../../packages/replica-resolver/src/failures.ts';
import { ROWS } from './tables/failures.ts';

const WORKS: readonly Work[] = ['read', 'transaction', 'write', 'begin', 'commit'];
const ROLES = ['primary', 'replica'] as const;

/** The error as the driver throws it: a SQLSTATE is five characters, a code of Node is in capitals, a message is a sentence. */
function errorOf(what: string, message = what): Error {
  if (/^[0-9A-Z]{5}$/.test(what)) {
    const error = new pg.DatabaseError(message, message.length, 'error');
    error.code = what;
    return error;
  }
  return /^[A-Z_]+$/.test(what) ? Object.assign(new Error(`connect ${what}`), { code: what }) : new Error(what);
}

function told({ action, severity, limit, learn, shuttingDown }: Verdict): string {
  const more = [limit === undefined ? '' : ` ≤${limit}`, learn ? ' learn' : '', shuttingDown ? ' shuttingDown' : ''];
  return `${action} ${severity}${more.join('')}`;
}

describe.each(ROWS)('$phase, $role: $name', ({ errors, phase, role, verdicts, begin }) => {
  test.each(errors)('%s', what => {
    for (const of of role === undefined ? ROLES : [role]) {
      const found = WORKS.map(work => [work, told(judge(errorOf(what), { phase, work, role: of }))]);
      expect(Object.fromEntries(found), of).toEqual({ ...verdicts, begin: begin[of] });
    }
  });
});

describe('a conflict with recovery', () => {
  test.each([
    'canceling statement due to conflict with recovery',
    'storniere Anfrage wegen Konflikt mit der Wiederherstellung',
  ])('is known by its code in every language: %s', message => {
    const error = errorOf('40001', message);
    expect(judge(error, { phase: 'sent', work: 'read', role: 'replica' }).action).toBe('other-node');
  });
});

describe('several addresses of a name', () => {
  const context = { phase: 'connect', work: 'read', role: 'replica' } as const;
  const parts = [errorOf('ENETUNREACH'), errorOf('ECONNREFUSED')];

  test('an AggregateError is what its code says', () => {
    const error = Object.assign(new AggregateError(parts, ''), { code: 'ECONNREFUSED' });
    expect(told(judge(error, context))).toBe('other-node hard');
    expect(isConnectionLost(error)).toBe(true);
  });

  test('and without a code what its parts are', () => {
    expect(told(judge(new AggregateError(parts), context))).toBe('other-node hard');
    expect(told(judge(new AggregateError([new Error('?'), errorOf('EAI_AGAIN')]), context))).toBe('other-node soft');
    expect(told(judge(new AggregateError([]), context))).toBe('surface none');
  });
});

test('a message counts only as a whole, and only without a code', () => {
  const context = { phase: 'sent', work: 'write', role: 'primary' } as const;
  expect(judge(new Error('select $1 - Connection terminated unexpectedly'), context).action).toBe('surface');
  expect(judge(errorOf('P0001', 'Connection terminated unexpectedly'), context).action).toBe('surface');
});

test('an answer is lost with its connection, and when nobody waits for it any more', () => {
  expect(['ECONNRESET', '57P01', 'Query read timeout'].every(what => isAnswerLost(errorOf(what)))).toBe(true);
  expect(['23505', '53300', '57014', '25006'].some(what => isAnswerLost(errorOf(what)))).toBe(false);
});

test('a server that only reads says so', () => {
  expect(['25006', '0A000', '23505'].map(code => isReadOnly(errorOf(code)))).toEqual([true, false, false]);
});

describe('whether the connection is lost', () => {
  test.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    '57P01',
    '57P02',
    '57P03',
    '57P04',
    '57P05',
    '08003',
    '08006',
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Cannot use a pool after calling end on the pool',
  ])('yes: %s', what => {
    expect(isConnectionLost(errorOf(what))).toBe(true);
  });

  test.each([
    '40001',
    '57014',
    '25006',
    '0A000',
    '55000',
    '23505',
    '42P01',
    '08001',
    '53300',
    'Query read timeout',
    'timeout exceeded when trying to connect',
    'no such message',
  ])('no: %s', what => {
    expect(isConnectionLost(errorOf(what))).toBe(false);
  });
});

describe('whatever is thrown', () => {
  const trap = (name: string): object =>
    Object.defineProperty({}, name, {
      get: () => {
        throw new Error('trap');
      },
    });
  const revoked = (): object => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  };
  test.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['a string', 'Connection terminated unexpectedly'],
    ['a number', 7],
    ['a symbol', Symbol('x')],
    ['a frozen object', Object.freeze({})],
    ['an object without a prototype', Object.create(null)],
    ['a code that is no string', { code: 40001 }],
    ['a code getter that throws', trap('code')],
    ['a message getter that throws', trap('message')],
    ['an errors getter that throws', trap('errors')],
    ['errors that are a trap', { errors: [trap('code'), null, 'x'] }],
    ['errors that are a revoked proxy', { errors: revoked() }],
    ['a revoked proxy', revoked()],
    [
      'a proxy whose every access throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('trap');
          },
        },
      ),
    ],
    ['a function', () => {}],
  ])('%s surfaces', (_, value) => {
    for (const phase of ['connect', 'sent'] satisfies Phase[]) {
      for (const work of WORKS) {
        for (const role of ROLES) expect(told(judge(value, { phase, work, role }))).toBe('surface none');
      }
    }
    expect(isConnectionLost(value)).toBe(false);
  });

  const known = ROWS.flatMap(row => row.errors);
  const anyContext = fc.record({
    phase: fc.constantFrom<Phase>('connect', 'sent'),
    work: fc.constantFrom(...WORKS),
    role: fc.constantFrom(...ROLES),
  });
  test('no statement inside a transaction is done again, and nothing durable that was lost after it was sent', () => {
    fc.assert(
      fc.property(fc.constantFrom(...known), anyContext, (what, context) => {
        const { action } = judge(errorOf(what), context);
        if (context.work === 'transaction') expect(action).toBe('surface');
        if (context.work === 'commit') expect(['surface', 'outcome-unknown']).toContain(action);
        if (context.phase === 'connect') expect(action).not.toBe('outcome-unknown');
        // A write goes to the primary, or nowhere.
        if (context.work === 'write') expect(['surface', 're-resolve', 'outcome-unknown']).toContain(action);
      }),
    );
  });
});

describe("the installed driver's own errors", () => {
  async function listen(talk: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
    const sockets = new Set<Socket>();
    const server = createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      talk(socket);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { server, port: (server.address() as AddressInfo).port };
  }
  /** What comes instead of a result. */
  const thrown = (promise: Promise<unknown>): Promise<Error> =>
    promise.then(
      () => expect.unreachable(),
      (error: Error) => error,
    );
  const connecting = (error: unknown): string =>
    told(judge(error, { phase: 'connect', work: 'read', role: 'replica' }));
  const AUTHENTICATED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);

  test('nobody listens', async () => {
    const { server, port } = await listen(() => {});
    await new Promise(resolve => server.close(resolve));
    for (const host of ['127.0.0.1', 'localhost']) {
      expect(connecting(await thrown(new pg.Client({ host, port }).connect())), host).toBe('other-node hard');
    }
  });

  test('no such name', async () => {
    const error = await thrown(new pg.Client({ host: 'no-such-host.invalid' }).connect());
    // A machine without a network has no name server either.
    expect(['other-node hard', 'other-node soft']).toContain(connecting(error));
  });

  test('the server accepts and never answers', async () => {
    const { port } = await listen(() => {});
    const options = { host: '127.0.0.1', port, connectionTimeoutMillis: 50 };
    const ofClient = await thrown(new pg.Client(options).connect());
    expect([ofClient.message, connecting(ofClient)]).toEqual(['timeout expired', 'other-node hard']);
    const pool = new pg.Pool(options);
    const ofPool = await thrown(pool.connect());
    expect([ofPool.message, connecting(ofPool)]).toEqual([
      'Connection terminated due to connection timeout',
      'other-node hard',
    ]);
    await pool.end();
    expect(connecting(await thrown(pool.connect()))).toBe('other-node none');
  });

  test('the server hangs up while it is greeted', async () => {
    const { port } = await listen(socket => socket.once('data', () => socket.end()));
    expect(connecting(await thrown(new pg.Client({ host: '127.0.0.1', port }).connect()))).toBe('other-node soft');
  });

  test('no place in the pool', async () => {
    const { port } = await listen(socket => socket.once('data', () => socket.write(AUTHENTICATED)));
    const pool = new pg.Pool({ host: '127.0.0.1', port, max: 1, connectionTimeoutMillis: 50 });
    const client = await pool.connect();
    const error = await thrown(pool.connect());
    expect(connecting(error)).toBe('other-node soft');
    expect(isConnectionLost(error)).toBe(false);
    client.release(true);
    await pool.end();
  });

  test('the server hangs up on a statement, and the client is not queryable afterwards', async () => {
    let statements = 0;
    const { port } = await listen(socket => {
      socket.once('data', () => {
        socket.write(AUTHENTICATED);
        socket.once('data', () => {
          statements++;
          socket.end();
        });
      });
    });
    const client = new pg.Client({ host: '127.0.0.1', port });
    client.on('error', () => {});
    await client.connect();
    const writing = { phase: 'sent', work: 'write', role: 'primary' } as const;
    expect(told(judge(await thrown(client.query('insert …')), writing))).toBe('outcome-unknown soft');
    expect(told(judge(await thrown(client.query('insert …')), writing))).toBe('re-resolve soft');
    expect(statements).toBe(1);
  });

  test('we have closed the client', async () => {
    const { port } = await listen(socket => socket.once('data', () => socket.write(AUTHENTICATED)));
    const client = new pg.Client({ host: '127.0.0.1', port });
    await client.connect();
    await client.end();
    const error = await thrown(client.query('insert …'));
    expect(error.message).toBe('Client was closed and is not queryable');
    expect(told(judge(error, { phase: 'sent', work: 'write', role: 'primary' }))).toBe('re-resolve none');
  });

  test('no answer in time', async () => {
    const { port } = await listen(socket => socket.once('data', () => socket.write(AUTHENTICATED)));
    const client = new pg.Client({ host: '127.0.0.1', port, query_timeout: 50 });
    client.on('error', () => {});
    await client.connect();
    const error = await thrown(client.query('select 1'));
    expect(told(judge(error, { phase: 'sent', work: 'read', role: 'replica' }))).toBe('surface soft');
    expect(told(judge(error, { phase: 'sent', work: 'commit', role: 'primary' }))).toBe('outcome-unknown soft');
  });
});
