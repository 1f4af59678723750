import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { atExit } from './at-exit.ts';
import { lastingFolder, temporaryFolder, type ClusterFolder } from './cluster-folder.ts';
import type { Cluster, ClusterOptions } from './cluster.ts';
import { cloneAsReplica, initialise, isDataDirectory } from './data-directory.ts';
import { createDatabase, dropDatabase, waitForReplay } from './databases.ts';
import { EmbeddedNode, runningServer } from './embedded-node.ts';
import { HarnessError } from './errors.ts';
import type { PgNode } from './pg-node.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { waitForEnd } from './processes.ts';
import { checkOptions } from './cluster-options.ts';

/** Milliseconds in which a replica has to start streaming before it is copied anew. */
const streamTimeout = 15_000;

export class EmbeddedCluster implements Cluster {
  readonly primary: EmbeddedNode;
  readonly #replicas: EmbeddedNode[] = [];
  readonly #options: ClusterOptions;
  readonly #folder: ClusterFolder;
  readonly #unregister: () => void;
  readonly #abort = new AbortController();
  #starting: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  static async start(options: ClusterOptions): Promise<EmbeddedCluster> {
    checkOptions(options);
    const log = options.log ?? (() => {});
    postgresBinaries(); // Before any folder is made: this may fail with an instruction to the user.
    const keep = options.keepData ?? false;
    const folder = options.dataDir === undefined ? temporaryFolder() : lastingFolder(options.dataDir, keep, log);
    const cluster = new EmbeddedCluster(options, folder);
    try {
      await (cluster.#starting = cluster.#start(log));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  private constructor(options: ClusterOptions, folder: ClusterFolder) {
    this.#options = options;
    this.#folder = folder;
    this.primary = this.#node('primary');
    this.#unregister = atExit({
      stop: () => this.stop(),
      kill: () => [this.primary, ...this.#replicas].forEach(node => node.kill()),
    });
  }

  get replicas(): readonly PgNode[] {
    return this.#replicas;
  }

  createDatabase(name: string): Promise<string> {
    return createDatabase(this.primary, name);
  }

  dropDatabase(name: string): Promise<void> {
    return dropDatabase(this.primary, name);
  }

  caughtUp(timeout = 10_000): Promise<void> {
    const running = this.#replicas.filter(replica => replica.pid !== undefined);
    return waitForReplay(this.primary, running, timeout);
  }

  async addReplica(): Promise<PgNode> {
    const replica = this.#node(`replica-${this.#replicas.length + 1}`);
    this.#replicas.push(replica);
    await this.#copyRunningPrimary(replica);
    await this.#startNode(replica);
    return replica;
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start(log: (line: string) => void): Promise<void> {
    const names = Array.from({ length: this.#options.replicas ?? 0 }, (_, index) => `replica-${index + 1}`);
    for (const name of ['primary', ...names]) {
      await this.#waitForPredecessor(this.#path(name));
    }
    if (!isDataDirectory(this.primary.dataDirectory)) {
      log('PostgreSQL: making a data directory');
      // What a start that was interrupted has left; nothing has ever run in it.
      for (const name of ['primary', ...names]) {
        rmSync(this.#path(name), { recursive: true, force: true });
      }
      await initialise(this.primary.dataDirectory, this.#folder.user, this.#abort.signal);
      names.forEach(name => cloneAsReplica(this.primary.dataDirectory, this.#path(name), this.#folder.user));
    }
    await this.#startNode(this.primary);
    this.#replicas.push(...names.map(name => this.#node(name)));
    await Promise.all(this.#replicas.map(replica => this.#startReplica(replica, log)));
    log(
      `PostgreSQL: primary on port ${this.primary.port}${this.#replicas.map(r => `, ${r.name} on ${r.port}`).join('')}`,
    );
  }

  /** Starts a replica that may be missing, too far behind or ahead of a primary that has crashed: then it is copied anew. */
  async #startReplica(replica: EmbeddedNode, log: (line: string) => void): Promise<void> {
    if (existsSync(join(replica.dataDirectory, 'standby.signal'))) {
      try {
        await this.#startNode(replica);
        if (await this.#streams(replica)) {
          return;
        }
      } catch (error) {
        if (this.#stopped) {
          throw error;
        }
      }
      log(`PostgreSQL: ${replica.name} cannot follow the primary any more, copying it anew`);
      await replica.stop('immediate');
    }
    await this.#copyRunningPrimary(replica);
    await this.#startNode(replica);
  }

  async #streams(replica: EmbeddedNode): Promise<boolean> {
    const deadline = performance.now() + streamTimeout;
    while (performance.now() < deadline) {
      const rows = await this.primary.query(
        `select from pg_stat_replication where application_name = $1 and state = 'streaming'`,
        [replica.name],
      );
      if (rows.length > 0) {
        return true;
      }
      await sleep(20);
    }
    return false;
  }

  /** A base backup with the functions pg_basebackup uses: whoever called `pg_backup_start` has to stay connected. */
  async #copyRunningPrimary(replica: EmbeddedNode): Promise<void> {
    const client = new Client({ connectionString: this.primary.url() });
    client.on('error', () => {});
    await client.connect();
    try {
      await client.query(`select pg_backup_start('harness', true)`);
      cloneAsReplica(this.primary.dataDirectory, replica.dataDirectory, this.#folder.user);
      const { rows } = await client.query<{ labelfile: string }>(
        'select labelfile from pg_backup_stop(wait_for_archive => false)',
      );
      replica.writeBackupLabel(rows[0]?.labelfile ?? '');
    } finally {
      await client.end().catch(() => {});
    }
  }

  async #startNode(node: EmbeddedNode): Promise<void> {
    if (this.#stopped) {
      throw new HarnessError(`${node.name} cannot start: the cluster was stopped meanwhile.`);
    }
    await node.start();
  }

  /** After the SIGKILL of a process its servers live on until its watchdog has stopped them. */
  async #waitForPredecessor(dataDirectory: string): Promise<void> {
    const pid = runningServer(dataDirectory);
    if (pid !== undefined && !(await waitForEnd([pid], 30_000))) {
      throw new HarnessError(
        `dataDir has to belong to one running cluster at a time, but PostgreSQL process ${pid} still runs in ${dataDirectory}. ` +
          `Stop it (kill ${pid}), or pass another dataDir.`,
      );
    }
  }

  #node(name: string): EmbeddedNode {
    return new EmbeddedNode({
      name,
      dataDirectory: this.#path(name),
      logFile: this.#path(`${name}.log`),
      user: this.#folder.user,
      durable: this.#options.keepData ?? false,
      conf: this.#options.conf ?? [],
      follows: name === 'primary' ? undefined : this.primary,
    });
  }

  #path(name: string): string {
    return join(this.#folder.path, name);
  }

  async #stop(): Promise<void> {
    this.#abort.abort(new HarnessError('the cluster was stopped while it was starting.'));
    await this.#stopNodes();
    // A signal may have come while we were still starting: then that fails now, perhaps after one more server.
    await this.#starting?.catch(() => {});
    await this.#stopNodes();
    this.#folder.release();
    this.#unregister();
  }

  async #stopNodes(): Promise<void> {
    const mode = this.#options.keepData ? 'fast' : 'immediate';
    // The primary first: it hands its last records to the replicas before it goes.
    await this.primary.stop(mode);
    await Promise.all(this.#replicas.map(replica => replica.stop(mode)));
  }
}
