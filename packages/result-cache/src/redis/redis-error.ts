import { StoreError } from '../errors.ts';

/**
 * What the cache is told of an error of ioredis. Neither message nor cause have anything that was sent: a reply's error
 * carries the command, which is rows, or a password.
 *
 * @param hasWritten whether the server has taken a write before
 */
export function toStoreError(error: unknown, prefix: string, hasWritten = false): StoreError {
  if (error instanceof StoreError) {
    return error;
  }
  const reply = replyOf(error);
  switch (reply?.code) {
    case undefined:
      return new StoreError(
        'UNAVAILABLE',
        `redisStore(): Redis did not answer: ${error instanceof Error ? `${error.name}: ${error.message}` : typeof error}.`,
      );
    case 'READONLY':
      if (hasWritten) {
        return new StoreError(
          'UNAVAILABLE',
          'redisStore(): the server has become a read-only replica. To follow a failover, set reconnectOnError: error => error.message.startsWith("READONLY").',
        );
      }
      return new StoreError(
        'READ_ONLY',
        'redisStore(): the server is a read-only replica, but the cache has to write. Connect the client to the primary (with Sentinel: role "master").',
      );
    case 'NOPERM':
    case 'NOAUTH':
    case 'WRONGPASS':
      return new StoreError('DENIED', denied(reply.text, prefix));
    case 'MOVED':
    case 'CROSSSLOT':
      return new StoreError(
        'DENIED',
        'redisStore(): the server is a node of a Redis Cluster, but the client knows only this one. Give redisStore() a new Cluster([...]) of ioredis.',
      );
    default:
      return new StoreError('UNAVAILABLE', `redisStore(): Redis answered with the error ${reply?.code}.`);
  }
}

function denied(text: string, prefix: string): string {
  const command = /'([\w|-]+)' command/.exec(text)?.[1];
  const what = command ? `the command ${command.toUpperCase()}` : 'a command or a key';
  return `redisStore(): the server refuses ${what} to this user. Grant it: ACL SETUSER <user> on ~${prefix}:* &${prefix}:* +@read +@write +@scripting +@transaction +@pubsub +@connection +time +info.`;
}

/** A server's answer, of which the first word is its code; errors within scripts are led in by a sentence. */
function replyOf(error: unknown): { readonly code: string; readonly text: string } | undefined {
  if (!(error instanceof Error)) {
    return undefined;
  }
  const previous = (error as { previousErrors?: unknown }).previousErrors;
  // EXEC only tells that something before it went wrong.
  if (Array.isArray(previous) && previous.length > 0) {
    return replyOf(previous[0]);
  }
  if (error.name !== 'ReplyError') {
    return undefined;
  }
  const text = error.message;
  const first = /^-?([A-Z]+)\b/.exec(text)?.[1] ?? 'ERR';
  const within = /\b(NOPERM|READONLY|OOM|MISCONF)\b/.exec(text)?.[1];
  const refusedInScript = /can't run this command|ACL failure in script/i.test(text) ? 'NOPERM' : undefined;
  return { code: refusedInScript ?? (first === 'ERR' ? (within ?? first) : first), text };
}

/** Whether the server does not know a script by its name: it was restarted, or SCRIPT FLUSH was called. */
export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** Whether a key holds another type than the command is for. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE');
}
