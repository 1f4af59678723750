/**
 * How far a statement came: `'connect'`: no connection for it yet, nothing was sent; `'sent'`: it may have reached the server.
 */
export type Phase = 'connect' | 'sent';

/**
 * What the statement is: `'read'` and `'write'` stand alone (autocommit); `'transaction'` is one inside a transaction;
 * `'begin'` and `'commit'` are its ends.
 */
export type Work = 'read' | 'transaction' | 'write' | 'begin' | 'commit';

/** What to do about a failure. */
export interface Verdict {
  /**
   * - `'other-node'`: do it again on another node that may serve it;
   * - `'primary'`: do it again on the primary;
   * - `'re-resolve'`: find out who is the primary now, and do it again there;
   * - `'surface'`: the application gets the error;
   * - `'outcome-unknown'`: the application is told that it may have been done or not.
   */
  readonly action: 'other-node' | 'primary' | 're-resolve' | 'surface' | 'outcome-unknown';
  /** What it says of the node. */
  readonly severity: 'hard' | 'soft' | 'none';
  /** Most times for this reason. */
  readonly limit?: number;
  /** The statement writes, though it does not look so: from now on the primary at once. */
  readonly learn?: true;
  /** The server says that it shuts down (or one of its connections was ended by hand). */
  readonly shuttingDown?: true;
}

/** What an error tells by itself. */
interface Failure {
  readonly kind: 'connection' | 'conflict' | 'read-only' | 'standby' | 'unanswered' | 'other';
  readonly severity: Verdict['severity'];
  /** It proves that the statement was not sent, whatever the phase. */
  readonly unsent?: true;
  /** It means this only while connecting; later a statement of the application may bring it (dblink, SET SESSION …). */
  readonly onlyAtConnect?: true;
  /** The connection, if there was one, still works. */
  readonly connectionLives?: true;
  readonly shuttingDown?: true;
}

const OTHER: Failure = { kind: 'other', severity: 'none', connectionLives: true };
const UNREACHABLE: Failure = { kind: 'connection', severity: 'hard', unsent: true };
const REFUSED: Failure = { kind: 'connection', severity: 'hard', unsent: true, onlyAtConnect: true };
const NO_PLACE: Failure = { kind: 'connection', severity: 'soft', unsent: true, connectionLives: true };
const GONE: Failure = { kind: 'connection', severity: 'hard' };
const LOST: Failure = { kind: 'connection', severity: 'soft' };
const CLOSED_BY_US: Failure = { kind: 'connection', severity: 'none', unsent: true };
const CONFLICT: Failure = { kind: 'conflict', severity: 'none', connectionLives: true };
const STANDBY: Failure = { kind: 'standby', severity: 'none', connectionLives: true };

/** SQLSTATE, or the code of Node's socket and DNS errors. */
const BY_CODE: ReadonlyMap<string, Failure> = new Map([
  ['ECONNREFUSED', UNREACHABLE],
  ['ENOTFOUND', UNREACHABLE],
  // The resolver did not answer. That is temporary, and says nothing of the node.
  ['EAI_AGAIN', { kind: 'connection', severity: 'soft', unsent: true }],
  // These three come on open connections, too.
  ['ETIMEDOUT', GONE],
  ['EHOSTUNREACH', GONE],
  ['ENETUNREACH', GONE],
  ['ECONNRESET', LOST],
  ['EPIPE', LOST],

  ['57P03', UNREACHABLE],
  ['53300', { ...NO_PLACE, onlyAtConnect: true }],
  ['08001', REFUSED],
  ['08004', REFUSED],
  ['28P01', REFUSED],
  ['28000', REFUSED],
  ['3D000', REFUSED],

  ['40001', CONFLICT],
  ['40P01', CONFLICT],

  ['57P01', { kind: 'connection', severity: 'soft', shuttingDown: true }],
  // A process of the server has crashed: all of it restarts.
  ['57P02', GONE],
  ['57P04', LOST],
  // idle_session_timeout: the node is well.
  ['57P05', { kind: 'connection', severity: 'none' }],
  ['08003', LOST],
  ['08006', LOST],

  ['25006', { kind: 'read-only', severity: 'none', connectionLives: true }],
  ['0A000', STANDBY],
  ['55000', STANDBY],
]);

/** What pg and pg-pool throw without a code. Whole messages: a part could stand in a statement's text. */
const BY_MESSAGE: ReadonlyMap<string, Failure> = new Map([
  ['Connection terminated unexpectedly', LOST],
  ['Connection terminated', LOST],
  [
    'Client has encountered a connection error and is not queryable',
    { kind: 'connection', severity: 'soft', unsent: true },
  ],
  ['Client was closed and is not queryable', CLOSED_BY_US],
  ['Cannot use a pool after calling end on the pool', CLOSED_BY_US],
  ['Connection terminated due to connection timeout', UNREACHABLE],
  ['timeout expired', UNREACHABLE],
  // Of pg-pool: no place became free in time. The node is busy, not gone.
  ['timeout exceeded when trying to connect', NO_PLACE],
  ['Query read timeout', { kind: 'unanswered', severity: 'soft', connectionLives: true }],
]);

const SURFACE: Verdict = Object.freeze({ action: 'surface', severity: 'none' });

/**
 * Whether the connection that an error came from is gone, or never came to be. `false` for a full pool and for
 * `Query read timeout`. Trap: after the latter the connection lives, but must not be used again: the answer is still to come.
 * Never throws.
 * @param error what the driver threw, not wrapped
 */
export function isConnectionLost(error: unknown): boolean {
  const failure = failureOf(error);
  return failure.kind === 'connection' && failure.onlyAtConnect !== true && failure.connectionLives !== true;
}

/**
 * Whether the answer to what was sent will never be heard: the connection is gone, or pg's `query_timeout` was over. Never
 * throws.
 * @param error what the driver threw, not wrapped
 */
export function isAnswerLost(error: unknown): boolean {
  return isConnectionLost(error) || failureOf(error).kind === 'unanswered';
}

/**
 * Whether the server says that it only reads. Trap: a standby does, and so does a transaction that was begun as `read only`.
 * Never throws.
 * @param error what the driver threw, not wrapped
 */
export function isReadOnly(error: unknown): boolean {
  return failureOf(error).kind === 'read-only';
}

/**
 * What to do about a failure. Nothing is done again that may have changed something. Never throws.
 * @param error what the driver threw, not wrapped: its own message and code
 * @param context how far it came, what it was, and the role of the node as it was thought to be
 */
export function judge(
  error: unknown,
  context: { readonly phase: Phase; readonly work: Work; readonly role: 'primary' | 'replica' },
): Verdict {
  const failure = failureOf(error);
  const { phase, work, role } = context;
  switch (failure.kind) {
    case 'connection':
      if (failure.onlyAtConnect && phase !== 'connect') return SURFACE;
      return {
        action: afterLoss(work, role, phase === 'sent' && failure.unsent !== true),
        severity: failure.severity,
        ...(failure.shuttingDown ? { shuttingDown: true } : {}),
      };
    case 'conflict':
      // The text would tell ("… due to conflict with recovery"), but servers speak other languages. The code is enough: a
      // standby has no SERIALIZABLE, and a lone read neither updates a row nor waits for a second lock, so that replay is
      // the only one it can be in conflict with.
      if (role === 'primary' || !isRepeatable(work)) return SURFACE;
      return { action: 'other-node', severity: 'none', limit: 2 };
    case 'read-only':
      if (work === 'transaction' || work === 'commit') return SURFACE;
      // Nothing was changed. A primary that says so is none, or no longer.
      if (role === 'primary' || work === 'write') return { action: 're-resolve', severity: 'none', limit: 1 };
      return { action: 'primary', severity: 'none', limit: 1, ...(work === 'read' ? { learn: true } : {}) };
    case 'standby':
      if (role === 'primary' || !isRepeatable(work)) return SURFACE;
      return { action: 'primary', severity: 'none', limit: 1 };
    case 'unanswered':
      return { action: isDurable(work) && phase === 'sent' ? 'outcome-unknown' : 'surface', severity: 'soft' };
    case 'other':
      return SURFACE;
    default:
      return failure.kind satisfies never;
  }
}

/** What to do when there is no connection (any more). */
function afterLoss(work: Work, role: 'primary' | 'replica', sent: boolean): Verdict['action'] {
  switch (work) {
    case 'read':
      return 'other-node';
    case 'begin':
      // A transaction that has only begun has done nothing, whether the server has heard of it or not.
      return role === 'primary' ? 're-resolve' : 'other-node';
    case 'write':
      return sent ? 'outcome-unknown' : 're-resolve';
    case 'commit':
      // Not sent: it ended with its connection. That is known.
      return sent ? 'outcome-unknown' : 'surface';
    case 'transaction':
      return 'surface';
    default:
      return work satisfies never;
  }
}

/** Whether it may be done twice. */
function isRepeatable(work: Work): boolean {
  return work === 'read' || work === 'begin';
}

/** Whether it lasts once it is done. */
function isDurable(work: Work): boolean {
  return work === 'write' || work === 'commit';
}

function failureOf(error: unknown): Failure {
  const own = ofOne(error);
  if (own !== OTHER) return own;
  // A connect to a name with several addresses fails with one error for each (AggregateError).
  const parts = property(error, 'errors');
  try {
    if (!Array.isArray(parts)) return OTHER;
    return parts.map(ofOne).find(failure => failure !== OTHER) ?? OTHER;
  } catch {
    // A proxy may refuse even isArray().
    return OTHER;
  }
}

function ofOne(error: unknown): Failure {
  const code = property(error, 'code');
  // An error with a code is known by it: what a server says may be any text.
  if (typeof code === 'string') return BY_CODE.get(code) ?? OTHER;
  const message = property(error, 'message');
  return typeof message === 'string' ? (BY_MESSAGE.get(message) ?? OTHER) : OTHER;
}

/** A property of anything; `undefined` where reading it throws. */
function property(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return (value as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined;
  }
}
