// The entry of every root script: `node scripts/run.mjs <task> [args]`.
// The scripts of package.json begin with `exec`: npm starts them through a shell, and a shell that stays in between swallows
// npm's SIGINT and dies of its SIGTERM, leaving us running.
//
// This file holds nothing but the version check, so that it still parses on a Node too old for the rest.
const major = Number(process.versions.node.split('.')[0]);

if (major < 20) {
  console.error(
    `Mikrokit needs Node 20 or newer to start (it then brings its own Node 24), but this is ${process.version}.\n` +
      'Install a newer one from https://nodejs.org and run the command again.',
  );
  process.exit(1);
}

import('./main.mjs')
  .then(({ main }) => main(process.argv.slice(2)))
  .catch(error => {
    // A UserError is the whole story; anything else is a bug of ours and needs its stack.
    console.error(error?.name === 'UserError' ? error.message : error);
    process.exitCode = 1;
  });
