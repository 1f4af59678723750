import { configure, received } from './servers.ts';
import type { Stage } from './stage.ts';

/** Makes the replica that has most of the log the primary. @param othersFollow the other replica follows it from now on */
export async function promote(stage: Stage, { othersFollow }: { othersFollow: boolean }): Promise<void> {
  const { one, two } = stage.world;
  const [chosen, other] = (await received(one.server)) >= (await received(two.server)) ? [one, two] : [two, one];
  await chosen.server.query('select pg_promote(true, 30)');
  stage.promoted(chosen);
  if (othersFollow) {
    const conninfo = `host=127.0.0.1 port=${chosen.server.port} user=postgres application_name=${other.name}`;
    await configure(other.server, { primary_conninfo: conninfo }, 'now');
  }
}
