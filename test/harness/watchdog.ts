import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * A small shell that outlives this process by a moment: when the pipe to it closes, however this process ended (SIGKILL
 * included), it stops the servers and removes the directories it has been told of and not been told to forget.
 *
 * One line per message: `+server <signal> <pid>`, `-server <signal> <pid>`, `+directory <path>`, `-directory <path>`.
 */
const script = `
trap '' INT TERM HUP
nl='
'
servers=$nl
directories=$nl

without() { # list, entry
  case $1 in
    *"$nl$2$nl"*) printf '%s' "\${1%%"$nl$2$nl"*}$nl\${1#*"$nl$2$nl"}x" ;;
    *) printf '%s' "$1x" ;;
  esac
}

while IFS= read -r line; do
  entry=\${line#* }
  case $line in
    '+server '*) servers=$servers$entry$nl ;;
    '-server '*) servers=$(without "$servers" "$entry"); servers=\${servers%x} ;;
    '+directory '*) directories=$directories$entry$nl ;;
    '-directory '*) directories=$(without "$directories" "$entry"); directories=\${directories%x} ;;
  esac
done

# A zombie answers kill -0: nobody may be there to reap it.
alive() { kill -s 0 -- "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

each_server() { # what to do with: signal, pid
  printf '%s' "$servers" | while read -r signal pid; do
    if [ -n "$pid" ]; then "$1" "$signal" "$pid"; fi
  done
}
ask() { kill -s "$1" -- "$2" 2>/dev/null; kill -s CONT -- "$2" 2>/dev/null; }
quit() { ! alive "$2" || kill -s QUIT -- "$2" 2>/dev/null; }
finish() { ! alive "$2" || kill -s KILL -- "$2" 2>/dev/null; }
report() { ! alive "$2" || echo alive; }
wait_for_servers() { # tenths of a second
  n=0
  while [ -n "$(each_server report)" ] && [ "$n" -lt "$1" ]; do sleep 0.1; n=$((n + 1)); done
}

each_server ask
wait_for_servers 100
each_server quit
wait_for_servers 60
each_server finish
wait_for_servers 20

printf '%s' "$directories" | while IFS= read -r directory; do
  [ -n "$directory" ] || continue
  # Again and again: the last backend of a killed server may still be writing.
  n=0
  while [ -e "$directory" ] && [ "$n" -lt 50 ]; do rm -rf "$directory" 2>/dev/null || sleep 0.1; n=$((n + 1)); done
done
`;

/** How a server is asked to end when this process has died without stopping it. */
export type LastSignal = 'QUIT' | 'INT' | 'TERM' | 'KILL';

let shell: ChildProcess | undefined;

function tell(message: string): void {
  shell ??= startShell();
  shell.stdin?.write(`${message}\n`);
}

function startShell(): ChildProcess {
  // detached: its own session, so a Ctrl-C in the terminal does not reach it.
  const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  // It must not keep this process alive: that is the whole point.
  child.unref();
  (child.stdin as Socket).unref();
  return child;
}

/** Guards a server, or a process group by its negative id, against the death of this process; returns the function that ends the guard. */
export function guardServer(pid: number, signal: LastSignal): () => void {
  tell(`+server ${signal} ${pid}`);
  return () => tell(`-server ${signal} ${pid}`);
}

/** Has a directory removed should this process die; returns the function that ends the guard. */
export function guardDirectory(path: string): () => void {
  tell(`+directory ${path}`);
  return () => tell(`-directory ${path}`);
}
