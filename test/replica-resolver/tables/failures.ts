import type { Phase, Verdict, Work } from '../../../packages/replica-resolver/src/failures.ts';

/** `action severity`, then what else there is. */
export type Told =
  `${Verdict['action']} ${Verdict['severity']}${'' | ` ≤${number}`}${'' | ' learn'}${'' | ' shuttingDown'}`;

/** What failed, of whom, and the verdict for each kind of work. */
export interface Row {
  readonly name: string;
  /** SQLSTATEs, codes of Node or messages without a code: all are judged alike. */
  readonly errors: readonly string[];
  readonly phase: Phase;
  /** Both where it does not matter. */
  readonly role?: 'primary' | 'replica';
  readonly verdicts: Readonly<Record<Exclude<Work, 'begin'>, Told>>;
  /** On a replica, and on the primary. */
  readonly begin: { readonly replica?: Told; readonly primary?: Told };
}

const every = (told: Told): Pick<Row, 'verdicts' | 'begin'> => ({
  verdicts: { read: told, transaction: told, write: told, commit: told },
  begin: { replica: told, primary: told },
});

/** No connection, nothing sent: all but a running transaction may be done again. */
const unsent = (severity: Verdict['severity'], more: '' | ' shuttingDown' = ''): Pick<Row, 'verdicts' | 'begin'> => ({
  verdicts: {
    read: `other-node ${severity}${more}`,
    transaction: `surface ${severity}${more}`,
    write: `re-resolve ${severity}${more}`,
    commit: `surface ${severity}${more}`,
  },
  begin: { replica: `other-node ${severity}${more}`, primary: `re-resolve ${severity}${more}` },
});

/** The connection was lost while the statement was under way. */
const lost = (severity: Verdict['severity'], more: '' | ' shuttingDown' = ''): Pick<Row, 'verdicts' | 'begin'> => ({
  verdicts: {
    read: `other-node ${severity}${more}`,
    transaction: `surface ${severity}${more}`,
    write: `outcome-unknown ${severity}${more}`,
    commit: `outcome-unknown ${severity}${more}`,
  },
  begin: { replica: `other-node ${severity}${more}`, primary: `re-resolve ${severity}${more}` },
});

export const ROWS: readonly Row[] = [
  // connect
  {
    name: 'the server cannot be reached',
    errors: ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', '57P03', '08001', '08004'],
    phase: 'connect',
    ...unsent('hard'),
  },
  {
    name: 'connecting took too long',
    errors: ['Connection terminated due to connection timeout', 'timeout expired'],
    phase: 'connect',
    ...unsent('hard'),
  },
  {
    name: 'wrong password, no such database',
    errors: ['28P01', '28000', '3D000'],
    phase: 'connect',
    ...unsent('hard'),
  },
  {
    name: 'no place: the node is busy, not gone',
    errors: ['53300', 'timeout exceeded when trying to connect'],
    phase: 'connect',
    ...unsent('soft'),
  },
  { name: 'the name server did not answer', errors: ['EAI_AGAIN'], phase: 'connect', ...unsent('soft') },
  {
    name: 'the connection broke off while it was made',
    errors: ['ECONNRESET', 'EPIPE', 'Connection terminated unexpectedly', '08006'],
    phase: 'connect',
    ...unsent('soft'),
  },
  { name: 'the server shuts down', errors: ['57P01'], phase: 'connect', ...unsent('soft', ' shuttingDown') },
  {
    name: 'we have ended the pool or the connection',
    errors: ['Cannot use a pool after calling end on the pool', 'Client was closed and is not queryable'],
    phase: 'connect',
    ...unsent('none'),
  },
  {
    name: 'errors that prove that nothing was sent, whatever the caller believes',
    errors: ['ECONNREFUSED', 'ENOTFOUND', '57P03', 'timeout expired'],
    phase: 'sent',
    ...unsent('hard'),
  },
  {
    name: 'pg refuses a client whose connection broke before: nothing was sent',
    errors: ['Client has encountered a connection error and is not queryable'],
    phase: 'sent',
    ...unsent('soft'),
  },
  {
    name: 'the same codes later on are of the statement (dblink, SET SESSION AUTHORIZATION, CREATE DATABASE)',
    errors: ['53300', '08001', '08004', '28P01', '28000', '3D000'],
    phase: 'sent',
    ...every('surface none'),
  },

  // 40001, 40P01
  {
    name: 'conflict with recovery on a standby',
    errors: ['40001', '40P01'],
    phase: 'sent',
    role: 'replica',
    verdicts: {
      read: 'other-node none ≤2',
      transaction: 'surface none',
      write: 'surface none',
      commit: 'surface none',
    },
    begin: { replica: 'other-node none ≤2' },
  },
  {
    name: 'serialization failure or deadlock on the primary',
    errors: ['40001', '40P01'],
    phase: 'sent',
    role: 'primary',
    ...every('surface none'),
  },

  // the connection was lost
  {
    name: 'the connection was lost',
    errors: [
      '08003',
      '08006',
      '57P04',
      'ECONNRESET',
      'EPIPE',
      'Connection terminated unexpectedly',
      'Connection terminated',
    ],
    phase: 'sent',
    ...lost('soft'),
  },
  {
    name: 'the server crashed, or the network is gone',
    errors: ['57P02', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
    phase: 'sent',
    ...lost('hard'),
  },
  { name: 'the server shuts down', errors: ['57P01'], phase: 'sent', ...lost('soft', ' shuttingDown') },
  { name: 'idle_session_timeout: the node is well', errors: ['57P05'], phase: 'sent', ...lost('none') },

  // 25006
  {
    name: 'a statement that writes on a replica',
    errors: ['25006'],
    phase: 'sent',
    role: 'replica',
    verdicts: {
      read: 'primary none ≤1 learn',
      transaction: 'surface none',
      write: 're-resolve none ≤1',
      commit: 'surface none',
    },
    begin: { replica: 'primary none ≤1' },
  },
  {
    name: 'a primary that takes no writes: it is none, or no longer',
    errors: ['25006'],
    phase: 'sent',
    role: 'primary',
    verdicts: {
      read: 're-resolve none ≤1',
      transaction: 'surface none',
      write: 're-resolve none ≤1',
      commit: 'surface none',
    },
    begin: { primary: 're-resolve none ≤1' },
  },

  // 0A000, 55000
  {
    name: 'what a standby cannot do (SERIALIZABLE, pg_current_wal_lsn())',
    errors: ['0A000', '55000'],
    phase: 'sent',
    role: 'replica',
    verdicts: { read: 'primary none ≤1', transaction: 'surface none', write: 'surface none', commit: 'surface none' },
    begin: { replica: 'primary none ≤1' },
  },
  {
    name: 'what the primary cannot do either',
    errors: ['0A000', '55000'],
    phase: 'sent',
    role: 'primary',
    ...every('surface none'),
  },

  // never again
  { name: 'statement_timeout, cancelled by the user', errors: ['57014'], phase: 'sent', ...every('surface none') },
  {
    name: 'query_timeout of the client: what was durable may have been done',
    errors: ['Query read timeout'],
    phase: 'sent',
    verdicts: {
      read: 'surface soft',
      transaction: 'surface soft',
      write: 'outcome-unknown soft',
      commit: 'outcome-unknown soft',
    },
    begin: { replica: 'surface soft', primary: 'surface soft' },
  },
  {
    name: 'query_timeout before anything was sent',
    errors: ['Query read timeout'],
    phase: 'connect',
    ...every('surface soft'),
  },
  {
    name: 'anything else',
    errors: [
      '42P01',
      '42601',
      '22P02',
      '23505',
      '40003',
      '53200',
      'XX000',
      'ABORT_ERR',
      'no such message',
      'constructor',
    ],
    phase: 'sent',
    ...every('surface none'),
  },
  {
    name: 'anything else while connecting',
    errors: ['42704', '57014', 'no such message'],
    phase: 'connect',
    ...every('surface none'),
  },
];
