import { send } from '../../harness/processes.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { grabConnections } from './grab-connections.ts';
import { inForm } from './form.ts';
import { promote } from './promotion.ts';
import { loopConflicts } from './recovery-conflicts.ts';
import { type Scenario, UNHARMED } from './scenario.ts';
import { configure, kill, replayed, shutDown, start } from './servers.ts';

const ONE = 'replica-1';
const BOTH = [ONE, 'replica-2'];
const none = { atMost: 0 };
/** Of a replica that answers no more, but refuses nothing. */
const HANGS = { ejectMs: { atMost: 3_000 }, lastHurtMs: { atMost: 3_000 }, worstReadMs: { atMost: 3_500 } };
/** How far behind a replica may be that is still read from, in ms: as it is by default, or soon, where time is short. */
const MAX_LAG = inForm(2_000, 10_000);

export const noFault: Scenario = {
  id: 'F1',
  title: 'none',
  async happens(stage) {
    await stage.orders(inForm(2_000, 10_000));
  },
  passes: { ...UNHARMED, elsewhere: { atLeast: inForm(2_000, 10_000) * 0.99 }, onReplicas: { atLeast: 0.95 } },
};

export const replicaKilled: Scenario = {
  id: 'F2',
  title: 'replica killed',
  faulty: [ONE],
  async happens(stage) {
    const { one } = stage.world;
    stage.fault();
    await kill(one);
    await stage.lasts(3, 20);
    stage.healed();
    await start(one);
    await stage.lasts(3, 20);
  },
  // Both replicas are alike: half of the reads were its share if there were no ramp.
  passes: { ...UNHARMED, ejectMs: { atMost: 50 }, onHealed: { atMost: 0.35 } },
};

export const replicaFrozen: Scenario = {
  id: 'F3',
  title: 'replica frozen (SIGSTOP)',
  faulty: [ONE],
  async happens(stage) {
    const { server } = stage.world.one;
    stage.fault();
    await server.signal('SIGSTOP');
    await stage.lasts(4.2, 30);
    stage.healed();
    await server.signal('SIGCONT');
    await stage.lasts(3, 20);
  },
  passes: { ...UNHARMED, ...HANGS },
};

export const replicaUnreachable: Scenario = {
  id: 'F4',
  title: 'replica behind a black hole',
  faulty: [ONE],
  async happens(stage) {
    const { proxy } = stage.world.one;
    stage.fault();
    await proxy.blackHole();
    await stage.lasts(4.2, 30);
    stage.healed();
    await proxy.pass();
    await stage.lasts(3, 20);
  },
  passes: { ...UNHARMED, ...HANGS },
};

export const replicaSlow: Scenario = {
  id: 'F4',
  title: 'replica 500 ms away',
  faulty: [ONE],
  async happens(stage) {
    const { proxy } = stage.world.one;
    stage.fault();
    await proxy.delay(250);
    await stage.lasts(4.2, 30);
    stage.healed();
    await proxy.pass();
    await stage.lasts(2, 10);
  },
  passes: { ...UNHARMED, onFaulty: { atMost: 0.1 }, downs: none },
};

export const replayPaused: Scenario = {
  id: 'F5',
  title: 'replay paused on a replica',
  faulty: [ONE],
  options: { maxLag: MAX_LAG },
  async happens(stage) {
    const { server } = stage.world.one;
    stage.fault();
    await server.query('select pg_wal_replay_pause()');
    await stage.lasts(4.2, 60);
    stage.healed();
    await server.query('select pg_wal_replay_resume()');
    await stage.lasts(5.5, 20);
  },
  // Probed every second, more or less; a busy machine is late.
  passes: { ...UNHARMED, ejectMs: { atMost: MAX_LAG + inForm(1_500, 1_000) }, recoverMs: { atMost: 5_000 } },
};

export const allPaused: Scenario = {
  id: 'F6',
  title: 'replay paused on all replicas',
  faulty: BOTH,
  options: { maxLag: MAX_LAG },
  async happens(stage) {
    const { replicas } = stage.world;
    stage.fault();
    await Promise.all(replicas.map(({ server }) => server.query('select pg_wal_replay_pause()')));
    await stage.lasts(3.5, 60);
    stage.healed();
    await Promise.all(replicas.map(({ server }) => server.query('select pg_wal_replay_resume()')));
    await stage.lasts(5.5, 20);
  },
  passes: { ...UNHARMED, recoverMs: { atMost: 5_000 } },
};

export const allKilled: Scenario = {
  id: 'F6',
  title: 'all replicas killed',
  faulty: BOTH,
  async happens(stage) {
    const { replicas } = stage.world;
    stage.fault();
    await Promise.all(replicas.map(kill));
    await stage.lasts(3, 30);
    stage.healed();
    await Promise.all(replicas.map(start));
    await stage.lasts(3, 20);
  },
  passes: { ...UNHARMED, ejectMs: { atMost: 50 } },
};

export const replayGoesBack: Scenario = {
  id: 'F7',
  title: 'replica killed after 30 MB of WAL, restarted',
  faulty: [ONE],
  async happens(stage) {
    const { one, primary, cluster } = stage.world;
    await primary.server.query(
      `create table filler as select repeat(md5(n::text), 30) as text from generate_series(1, 32 * 1024) n`,
      [],
      stage.database,
    );
    await cluster.caughtUp();
    // From its next start on: so what it shows then is certainly older than what it has shown, and stays so.
    await configure(one.server, { recovery_min_apply_delay: '1s' }, 'at the next start');
    await stage.lasts(0.5, 2);
    const before = await replayed(one.server);
    stage.fault();
    await kill(one);
    stage.healed();
    await start(one);
    stage.measured['bytesBack'] = before - (await replayed(one.server));
    await stage.lasts(4, 10);
    await configure(one.server, { recovery_min_apply_delay: '0' }, 'now');
    await stage.lasts(2, 5);
  },
  passes: { ...UNHARMED, measured: { bytesBack: { atLeast: 1 } } },
};

export const promoted: Scenario = {
  id: 'F9',
  title: 'primary killed, replica promoted',
  promotes: true,
  async happens(stage) {
    const { primary } = stage.world;
    stage.fault();
    await kill(primary);
    await sleep(300);
    await promote(stage, { othersFollow: true });
    await stage.lasts(3, 20);
    // It comes back, and thinks that it is the primary still.
    await start(primary);
    await stage.lasts(3, 20);
  },
  passes: { resumeMs: { atMost: 2_000 }, failedReads: none },
};

export const splitBrain: Scenario = {
  id: 'F10',
  title: 'replica promoted, old primary goes on',
  promotes: true,
  async happens(stage) {
    stage.fault();
    await promote(stage, { othersFollow: false });
    await stage.lasts(4.5, 30);
  },
  passes: { detectMs: { atMost: 3_000 }, resumeMs: { atMost: 3_000 }, failedReads: none },
};

export const recoveryConflicts: Scenario = {
  id: 'F11',
  title: 'recovery conflicts in a loop',
  faulty: BOTH,
  slowReaders: 4,
  async happens(stage) {
    const { replicas } = stage.world;
    await Promise.all(replicas.map(({ server }) => configure(server, { max_standby_streaming_delay: '200ms' }, 'now')));
    stage.fault();
    stage.measured['conflicts'] = await loopConflicts(stage, () => stage.lasts(5, 60));
    stage.healed();
    await stage.lasts(1.5, 5);
    await Promise.all(replicas.map(({ server }) => configure(server, { max_standby_streaming_delay: '30s' }, 'now')));
  },
  passes: { ...UNHARMED, measured: { conflicts: { atLeast: 5 } } },
};

export const replicaCrashes: Scenario = {
  id: 'F12',
  title: 'replica crashes, is shut down, starts',
  faulty: [ONE],
  async happens(stage) {
    const { one } = stage.world;
    const [backend] = await one.server.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = $1 and backend_type = 'client backend' limit 1`,
      [stage.database],
    );
    // The postmaster then ends all the others, recovers, and refuses connections (57P03) until it has.
    stage.fault();
    send(backend!.pid, 'SIGKILL');
    await stage.lasts(2, 10);
    await shutDown(one);
    await stage.lasts(1.5, 10);
    stage.healed();
    await start(one);
    await stage.lasts(3, 20);
  },
  passes: { ...UNHARMED },
};

export const connectionStorm: Scenario = {
  id: 'F13',
  title: 'replica restarted with 500 clients, out of connections',
  faulty: [ONE],
  readers: 250,
  idle: 1_500,
  async happens(stage) {
    const { one } = stage.world;
    stage.fault();
    await shutDown(one);
    await stage.lasts(1, 5);
    await start(one);
    // 53300 for whoever comes later.
    const grabbed = await grabConnections(one.server);
    stage.measured['grabbed'] = grabbed.count;
    await stage.lasts(3, 20);
    stage.healed();
    await grabbed.release();
    await stage.lasts(3, 30);
  },
  // Reads that find no place within a second are refused: 500 clients are more than a busy machine may serve, and the
  // primary has to be spared.
  passes: { ...UNHARMED, failedReads: {}, measured: { grabbed: { atLeast: 100 } } },
};

const FLAPS = inForm(3, 30);

export const flapping: Scenario = {
  id: 'F14',
  title: 'replica flaps: down 1 s, up 1 s',
  faulty: [ONE],
  async happens(stage) {
    const { proxy } = stage.world.one;
    stage.fault();
    for (let flap = 0; flap < FLAPS; flap++) {
      await proxy.refuse();
      await stage.lasts(1, 1);
      await proxy.pass();
      await stage.lasts(1, 1);
    }
    stage.healed();
    await stage.lasts(1, 15);
  },
  // Down, suspect, warming, up: never more than once for each time it is down.
  passes: { ...UNHARMED, stateChanges: { atMost: 4 * FLAPS } },
};
