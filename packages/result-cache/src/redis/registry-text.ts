import type { OpenIntent, Registry } from '../store.ts';

/*
 * The registry in Redis is one string, so that it is read along with everything else by MGET:
 *
 *   <epoch>|<bornMs>;<id>:<deadlineMs>:<tag>,<tag>;<id>:<deadlineMs>:<tag>…
 */

const HEAD = /^([\w-]+)\|\d+$/;
const INTENT = /^([\w-]+):(\d+):([\w\-,]*)$/;

/**
 * @param now the server's; without it no intent counts as expired
 * @returns `undefined` for what is no registry
 */
export function parseRegistry(text: string, now?: number): Registry | undefined {
  const [head, ...rest] = text.split(';');
  const epoch = HEAD.exec(head!)?.[1];
  if (epoch === undefined) {
    return undefined;
  }
  const intents: OpenIntent[] = [];
  for (const one of rest) {
    const [, id, deadline, tags] = INTENT.exec(one) ?? [];
    if (id === undefined) {
      return undefined;
    }
    intents.push({ id, tags: tags ? tags.split(',') : [], expired: now !== undefined && Number(deadline) <= now });
  }
  return { epoch, intents };
}
