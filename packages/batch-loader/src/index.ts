export { batchLoader, type BatchLoader } from './batch-loader.ts';
export { batch, type Batch, type BatchOptions, type Total } from './batch.ts';
export type { ExplainedStatement } from './batch-log.ts';
export type { BatchLoaderOptions } from './options.ts';
export type { BatchWindow } from './batch-window.ts';
export type { BatchEvent } from './batch-channel.ts';
export { BatchLoaderError, type BatchLoaderErrorCode, OptionsError } from './errors.ts';
import './collection-options.ts';
