import { AtlasError, UsageError } from './errors.ts';
import { Cleanup } from './cleanup.ts';
import { HELP, parseOptions } from './options.ts';

const cleanup = new Cleanup();
let ready = false;

/** Stops everything once. A second Ctrl-C while that goes on changes nothing: PostgreSQL is to be left in order. */
function stop(): void {
  if (!cleanup.started) {
    console.log('\nStopping …');
    // Ending what was ready is what Ctrl-C is for; ending something half-way is not success.
    const exitCode = ready ? 0 : 130;
    void cleanup
      .run()
      .catch(report)
      .finally(() => process.exit(process.exitCode ?? exitCode));
  }
}

/** One line for what the user can put right, everything for what only we can. */
function report(error: unknown): void {
  process.exitCode = error instanceof UsageError ? 2 : 1;
  console.error(error instanceof AtlasError ? `atlas: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}` : error);
}

process.on('SIGINT', stop);
process.on('SIGTERM', stop);
// Whoever read the output has gone, as in `npm start | head`.
process.stdout.on('error', stop);

try {
  const options = parseOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
  } else {
    // Imported late: whoever mistyped an option should not wait for the ORM to load.
    const { atlas } = await import('./atlas.ts');
    await atlas(options, cleanup);
    ready = true;
    if (options.once) {
      await cleanup.run();
    }
  }
} catch (error) {
  // What fails because everything is being stopped is no news.
  if (!cleanup.started) {
    report(error);
    await cleanup.run().catch(report);
    process.exit();
  }
}
