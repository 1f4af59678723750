import type { NodeState } from './node-state.ts';

/** What `resolver.on(name, …)` tells of. Numbers and short strings only. */
export interface ResolverEvents {
  /** A node has changed its state. */
  'node.state': { readonly node: string; readonly from: NodeState; readonly to: NodeState; readonly why: string };
  /** Writes go to another server. */
  'primary.changed': { readonly from: string | undefined; readonly to: string; readonly timeline: number };
  /** No server takes writes now; they wait up to `writeHold`. */
  'primary.lost': { readonly node: string; readonly why: string };
  /** Several servers take writes and none is newer: the resolver keeps the one it has. */
  'split-brain': { readonly nodes: readonly string[]; readonly timeline: number };
  /** A server that must not be used: another cluster, the same server twice, a primary of an old timeline, wrong password … */
  'node.rejected': { readonly node: string; readonly why: string };
  /** A token was ignored. */
  'token.rejected': { readonly why: TokenRejection };
  /** A token of a timeline that has ended. */
  'token.timeline': { readonly token: number; readonly primary: number };
  /** A read was begun again. */
  'read.retried': {
    readonly from: string;
    readonly to: string;
    readonly why: string;
    readonly attempt: number;
  };
  /** A replica had not replayed what the session has written; its rows were not used. */
  'stale.prevented': { readonly node: string; readonly behind: number };
  /** A read waited for a place on the primary, or got none. */
  'fallback.budget': { readonly inUse: number; readonly limit: number; readonly refused: boolean };
  /** The database does not tell positions: after a write a session reads on the primary for `pin` ms. */
  'time-mode': { readonly why: string };
  /** Where replicas come from could not be asked; the nodes stay as they were. */
  'topology.failed': { readonly error: string };
  /** Something else that a person should know, e.g. too few connections. */
  warning: { readonly message: string };
}

/** Why a token was ignored. */
export type TokenRejection = 'malformed' | 'signature' | 'cluster' | 'expired' | 'future';
