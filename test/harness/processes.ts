import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  /** First letter of the kernel's state: `Z` is a zombie, dead and only waiting to be reaped. */
  readonly state: string;
  /** Unlike the pid this is never given to another process: compare it before believing a pid read from a file. */
  readonly started: string;
}

const onLinux = process.platform === 'linux';

/** True while `pid` runs; a zombie counts as dead. */
export function isAlive(pid: number): boolean {
  const row = processRow(pid);
  return row !== undefined && row.state !== 'Z';
}

/** True while the kernel knows `pid`, as a zombie too: that is what other programs take for a running process. */
export function isKnown(pid: number): boolean {
  return processRow(pid) !== undefined;
}

/** When `pid` was started, as an opaque word; `undefined` when there is no such process. */
export function startedAt(pid: number): string | undefined {
  return processRow(pid)?.started;
}

/** The living direct children of `pid`. */
export function childrenOf(pid: number): number[] {
  return processTable()
    .filter(row => row.parent === pid && row.state !== 'Z')
    .map(row => row.pid);
}

/** The command line of `pid`, or an empty string. */
export function commandOf(pid: number): string {
  try {
    return onLinux ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') : ps('args=', '-p', `${pid}`);
  } catch {
    return '';
  }
}

/** Sends `signal`; a process that has gone already is no error. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

/** Waits until none of `pids` runs; false when some still do after `timeout` ms. */
export async function waitForEnd(pids: readonly number[], timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout;
  while (pids.some(isAlive)) {
    if (performance.now() > deadline) {
      return false;
    }
    await sleep(10);
  }
  return true;
}

function processRow(pid: number): ProcessRow | undefined {
  try {
    return onLinux ? linuxRow(pid) : psRows('-p', `${pid}`)[0];
  } catch {
    return undefined;
  }
}

function processTable(): ProcessRow[] {
  if (!onLinux) {
    return psRows('-A');
  }
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => processRow(Number(name)) ?? []);
}

/** `/proc` rather than `ps`: slim container images have no `ps`. */
function linuxRow(pid: number): ProcessRow {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, state: fields[0] ?? '', parent: Number(fields[1]), started: fields[19] ?? '' };
}

function psRows(...which: string[]): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const line of ps('pid=,ppid=,state=,lstart=', ...which).split('\n')) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S)\S*\s+(.*\S)/.exec(line);
    if (match) {
      rows.push({ pid: Number(match[1]), parent: Number(match[2]), state: match[3] ?? '', started: match[4] ?? '' });
    }
  }
  return rows;
}

function ps(columns: string, ...which: string[]): string {
  return execFileSync('ps', [...which, '-o', columns], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
