export { batchLoader, type BatchLoader } from './batch-loader.ts';
export type { BatchLoaderOptions, OnUnbatched, PeersOptions } from './options.ts';
export type { BatchWindow } from './batch-window.ts';
export type { BatchEvent } from './batch-channel.ts';
export { BatchLoaderError, type BatchLoaderErrorCode, OptionsError } from './errors.ts';
import './collection-options.ts';
