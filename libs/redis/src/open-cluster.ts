import { Cluster, type RedisOptions } from 'ioredis';
import { backoffMs } from '#libs/kernel';

type Nodes = readonly { host: string; port: number }[];

/** A master that is gone is noticed by the others after their node timeout; what took its place is known to us this much later. */
const refreshMs = 2_000;

/**
 * A client of a Redis Cluster. What was on its way when a connection broke is rejected and never sent again, as on one server:
 * only what a node has surely not done (MOVED, ASK, TRYAGAIN, CLUSTERDOWN) goes to the next. While no node can be reached
 * commands fail at once; those before the first connection wait for it.
 */
export function openCluster(nodes: Nodes, options: RedisOptions): Cluster {
  const { retryStrategy: _, reconnectOnError: __, enableOfflineQueue = true, ...redisOptions } = options;
  const cluster = new Cluster([...nodes], {
    redisOptions,
    enableOfflineQueue,
    clusterRetryStrategy: (attempt) => backoffMs(attempt, { initialMs: 50, maxMs: 2_000 }),
    // With any number ioredis sends what was lost with its connection to another node.
    retryDelayOnFailover: 0,
    // Certificates are for names: what the nodes announce is taken as it is.
    ...(redisOptions.tls ? { dnsLookup: (host, found) => found(null, host) } : {}),
  });
  failWhileAway(cluster);
  // By a timer of our own: that of ioredis goes on for ever where the client is closed while it asks.
  const timer = setInterval(() => cluster.refreshSlotsCache(() => undefined), refreshMs);
  timer.unref();
  cluster.once('end', () => clearInterval(timer));
  return cluster;
}

/** ioredis would keep what is asked while it looks for the cluster again, for however long that takes. */
function failWhileAway(cluster: Cluster): void {
  let isAway = false;
  cluster.on('close', () => {
    isAway = true;
  });
  cluster.on('ready', () => {
    isAway = false;
  });
  const send = cluster.sendCommand.bind(cluster);
  cluster.sendCommand = (command, stream, node?: unknown) => {
    if (!isAway || cluster.status === 'ready') return send(command, stream, node);
    command.reject(new Error('the nodes of the Redis Cluster cannot be reached'));
    return command.promise;
  };
}
