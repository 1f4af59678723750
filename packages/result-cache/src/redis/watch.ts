import type { ClusterNodes, RedisClient } from './client.ts';

const LOST = ['close', 'end', 'reconnecting'];

/** Calls back whenever the client, or a node of a Cluster, is connected anew. @returns how to stop */
export function watchConnection(client: RedisClient, onLost: () => void): () => void {
  return client.isCluster
    ? watchCluster(client as RedisClient & ClusterNodes, onLost)
    : watchReconnects(client, onLost);
}

function watchReconnects(client: RedisClient, onLost: () => void): () => void {
  let lost = LOST.includes(client.status);
  const onLoss = (): void => void (lost = true);
  const onReady = (): void => {
    if (lost) {
      lost = false;
      onLost();
    }
  };
  LOST.forEach(event => client.on(event, onLoss));
  client.on('ready', onReady);
  return () => {
    LOST.forEach(event => client.removeListener(event, onLoss));
    client.removeListener('ready', onReady);
  };
}

/** A node that is gone takes what it had along; one that comes may be another's replica, and behind. */
function watchCluster(cluster: RedisClient & ClusterNodes, onLost: () => void): () => void {
  const nodes = new Map<unknown, () => void>();
  const add = (node: unknown): void => {
    if (!nodes.has(node)) {
      nodes.set(node, watchReconnects(node as RedisClient, onLost));
    }
  };
  const remove = (node: unknown): void => {
    nodes.get(node)?.();
    nodes.delete(node);
  };
  // While it connects first, its nodes are all new, and nothing was read or written.
  const changed = (): void => {
    if (cluster.status === 'ready') {
      onLost();
    }
  };
  const onAdded = (node: unknown): void => {
    add(node);
    changed();
  };
  const onRemoved = (node: unknown): void => {
    remove(node);
    changed();
  };
  cluster.nodes('all').forEach(add);
  cluster.on('+node', onAdded);
  cluster.on('-node', onRemoved);
  const stop = watchReconnects(cluster, onLost);
  return () => {
    stop();
    cluster.removeListener('+node', onAdded);
    cluster.removeListener('-node', onRemoved);
    [...nodes.keys()].forEach(remove);
  };
}
