import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const scripts = join(import.meta.dirname, '../../scripts');

describe('a stage of the whole run', () => {
  it('shows what its program prints, keeps it, and has its exit code', async () => {
    const { shown, result } = await stage("console.log('one'); console.error('two'); process.exit(3)");
    expect(shown).toBe('one\n');
    expect(result).toEqual({ code: 3, output: 'one\n' });
  });

  it('has no input', async () => {
    const { result } = await stage("process.stdin.on('end', () => console.log('end')).resume()");
    expect(result).toEqual({ code: 0, output: 'end\n' });
  });

  it('that hangs is ended and has failed, with whatever it started', async () => {
    const hang = "require('node:child_process').spawnSync('sleep', ['60'], { stdio: 'inherit' })";
    const { shown, result } = await stage(hang, 300);
    expect(shown).toContain('has run for 0 s, too long: SIGTERM');
    expect(result.code).not.toBe(0);
  });

  it('whose program does not exist has failed', async () => {
    const { result } = await run('["no-such-program"]');
    expect(result).toEqual({ code: 1, output: 'spawn no-such-program ENOENT' });
  });
});

interface Shown {
  readonly shown: string;
  readonly result: { readonly code: number; readonly output: string };
}

function stage(program: string, limit?: number): Promise<Shown> {
  return run(`[process.execPath, '--eval', ${JSON.stringify(program)}]`, limit);
}

/** In a process of its own, because what is shown goes to that process's output. */
function run(command: string, limit?: number): Promise<Shown> {
  const code = `
    import { runShown } from ${JSON.stringify(join(scripts, 'shown.mjs'))};
    process.stderr.write('\\n' + JSON.stringify(await runShown(${command}, ${limit})));
  `;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--input-type=module', '--eval', code], (error, shown, stderr) => {
      if (error) {
        reject(error);
      } else {
        resolve({ shown, result: JSON.parse(stderr.split('\n').at(-1) ?? '') as Shown['result'] });
      }
    });
  });
}
