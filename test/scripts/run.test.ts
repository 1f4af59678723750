import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

const scripts = join(import.meta.dirname, '../../scripts');

describe('scripts/run.mjs', () => {
  it('names the tasks when it does not know one', async () => {
    const { code, stderr } = await run([join(scripts, 'run.mjs'), 'tset']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The first argument names a task, but got: tset\. The tasks are:\n( {2}[\w:]+ +\S.*\n)+$/);
  });

  it('passes arguments on to the program of the task', async () => {
    const { code, stderr } = await run([join(scripts, 'run.mjs'), 'build', 'nope']);
    expect(code).toBe(1);
    expect(stderr).toContain('An argument names a package to build (batch-loader');
    expect(stderr).toContain('but got: nope');
  });
});

describe('a child', () => {
  it.each([0, 1, 7])('ends us with its own exit code %i', async exitCode => {
    const { code } = await run(parentOf(`process.exit(${exitCode})`));
    expect(code).toBe(exitCode);
  });

  it('ended by a signal ends us with 128 and its number', async () => {
    const { code } = await run(parentOf('process.kill(process.pid, "SIGKILL")'));
    expect(code).toBe(137);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('gets %s once, and we wait while it cleans up', async signal => {
    const parent = start(
      parentOf(`
        let signals = 0;
        process.on('${signal}', () => {
          signals += 1;
          setTimeout(() => { console.log('cleaned up after', signals); process.exit(3); }, 300);
        });
        setInterval(() => {}, 1000);
        console.log('up');
      `),
    );
    await once(parent.child.stdout!, 'data');
    // As a terminal and npm do between them: the same Ctrl-C twice.
    parent.child.kill(signal);
    await sleep(50); // Sent at once, the system itself may make them one.
    parent.child.kill(signal);

    const { code, stdout } = await parent.end;
    expect(stdout).toBe('up\ncleaned up after 1\n');
    expect(code).toBe(3);
  });
});

/** The arguments of a Node that runs a Node that runs `program`, through the function all tasks use. */
function parentOf(program: string): string[] {
  const code = `
    import { runChild } from ${JSON.stringify(join(scripts, 'child.mjs'))};
    process.exitCode = await runChild([process.execPath, '--eval', ${JSON.stringify(program)}]);
  `;
  return ['--input-type=module', '--eval', code];
}

function run(args: readonly string[]): Promise<Ended> {
  return start(args).end;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[]): { child: ChildProcess; end: Promise<Ended> } {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', data => (stdout += data));
  child.stderr.on('data', data => (stderr += data));
  return { child, end: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) };
}
