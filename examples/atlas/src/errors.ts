/** Something the person who started Atlas can put right: shown as one line, without a stack trace. */
export class AtlasError extends Error {
  override readonly name = 'AtlasError';
}

/** The command line makes no sense. Exit code 2, as is the custom. */
export class UsageError extends AtlasError {}
