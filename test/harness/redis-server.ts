import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { installedProgram } from './installed-program.ts';

/** The path of a Redis server program: one on PATH, else, where we may, one that is installed now. */
export async function redisServer(log: (line: string) => void): Promise<string> {
  return await installedProgram(
    {
      names: ['redis-server', 'valkey-server'],
      what: 'a Redis server',
      package: 'redis-server',
      progress: 'Redis: installing redis-server with apt-get (once)',
      missing: 'REDIS_URL is not set and neither redis-server nor valkey-server is on PATH',
      remedy:
        'Install one (apt-get install redis-server, brew install redis, brew install valkey) or set REDIS_URL=redis://host:6379/0 to one that may be emptied.',
      variable: 'REDIS_URL',
      prepare: forbidServices,
    },
    log,
  );
}

/** Debian starts a service as soon as it is installed, on the port of whoever runs Redis here, unless this file says no. */
function forbidServices(): () => void {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) {
    return () => {};
  }
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy, { force: true });
}
