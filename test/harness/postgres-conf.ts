/** What every server of a cluster is started with; a line in `conf` that says otherwise wins. */
export interface ServerSettings {
  readonly port: number;
  /** The data has to survive a crash of the machine. */
  readonly durable: boolean;
  /** For a replica: where its primary is. */
  readonly follows?: { readonly port: number; readonly as: string } | undefined;
  /** More lines of `postgresql.conf`. */
  readonly conf: readonly string[];
}

/** The text of the configuration file that the harness owns and writes anew before each start. */
export function configuration(settings: ServerSettings): string {
  const lines = [
    `port = ${settings.port}`,
    `listen_addresses = '127.0.0.1'`,
    `unix_socket_directories = ''`,
    `timezone = 'UTC'`,
    `log_timezone = 'UTC'`,
    'max_connections = 200',
    'wal_level = replica',
    // Replicas have no slot: this is how far one that was stopped may fall behind.
    `wal_keep_size = '1GB'`,
    // A replica that lost its primary looks again at once, not after 5 s.
    `wal_retrieve_retry_interval = '100ms'`,
    // Segments in /dev/shm would outlive a killed server; these lie in the data directory and go with it.
    'dynamic_shared_memory_type = mmap',
    ...(settings.durable ? [] : ['fsync = off', 'full_page_writes = off']),
    ...(settings.follows
      ? [
          `primary_conninfo = 'host=127.0.0.1 port=${settings.follows.port} user=postgres application_name=${settings.follows.as}'`,
        ]
      : []),
    ...settings.conf,
  ];
  return `# Written by the harness at each start.\n${lines.join('\n')}\n`;
}
