import { type Argument, optionsOf, type RedisClient } from './client.ts';
import { isNoScript, isWrongType, toStoreError } from './redis-error.ts';
import type { Script } from './scripts.ts';

/** A script for one key. */
export interface ScriptCall {
  readonly script: Script;
  readonly key: string;
  readonly args: readonly Argument[];
}

/** Sends commands; what comes back as an error is a `StoreError`. */
export class Commands {
  readonly #client: RedisClient;
  readonly #prefix: string;
  /** Whether the server has taken a write: what is read-only from then on has failed over, and may recover. */
  #hasWritten = false;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async send(command: string, ...args: Argument[]): Promise<unknown> {
    return await this.#told(() => this.#call(command, args));
  }

  /**
   * The strings under `first` and `then`, `undefined` where there is none; what `then` names is never read before what
   * `first` names. One command on one server, which reads all of them at one instant; on a Cluster a GET for each, in two
   * steps.
   */
  async get(first: readonly string[], then: readonly string[]): Promise<(Buffer | undefined)[]> {
    if (this.#client.isCluster) {
      const before = await Promise.all(first.map(key => this.#get(key)));
      return [...before, ...(await Promise.all(then.map(key => this.#get(key))))];
    }
    const found = await this.#told(() => this.#call('mget', [...first, ...then], true));
    return (found as (Buffer | null)[]).map(each => each ?? undefined);
  }

  async run(call: ScriptCall): Promise<unknown> {
    return await this.#told(() => this.#run(call));
  }

  /** All of them, sent at once. */
  async runAll(calls: readonly ScriptCall[]): Promise<unknown[]> {
    return await this.#told(async () => {
      if (this.#client.isCluster) {
        return await Promise.all(calls.map(call => this.#run(call)));
      }
      const pipeline = this.#client.pipeline();
      calls.forEach(call => pipeline.call('evalsha', byName(call)));
      const results = await pipeline.exec();
      return await Promise.all(calls.map((call, index) => this.#resultOf(call, results?.[index])));
    });
  }

  /**
   * UNLINK of `keys` and, only if that was done, `call`.
   *
   * On one server they are a transaction: were they merely sent after each other, the first could fail (its command denied,
   * its connection broken) and the second succeed. Refused on being queued, they are both dropped by EXEC; if the
   * connection breaks before EXEC arrives, neither is done.
   */
  async unlinkThenRun(keys: readonly string[], call: ScriptCall): Promise<unknown> {
    return await this.#told(async () => {
      if (keys.length === 0) {
        return await this.#run(call);
      }
      if (this.#client.isCluster) {
        await Promise.all(keys.map(key => this.#call('unlink', [key])));
        return await this.#run(call);
      }
      const transaction = this.#client.multi();
      transaction.call('unlink', [...keys]);
      transaction.call('evalsha', byName(call));
      const results = await transaction.exec();
      const unlinked = results?.[0];
      if (unlinked === undefined || unlinked[0]) {
        throw unlinked?.[0] ?? new Error('the transaction was discarded');
      }
      return await this.#resultOf(call, results?.[1]);
    });
  }

  async #get(key: string): Promise<Buffer | undefined> {
    try {
      return ((await this.#call('get', [key], true)) as Buffer | null) ?? undefined;
    } catch (error) {
      if (isWrongType(error)) {
        return undefined;
      }
      throw toStoreError(error, this.#prefix, this.#hasWritten);
    }
  }

  async #run(call: ScriptCall): Promise<unknown> {
    try {
      return this.#written(await this.#call('evalsha', byName(call)));
    } catch (error) {
      return await this.#byText(call, error);
    }
  }

  async #resultOf(call: ScriptCall, result: [Error | null, unknown] | undefined): Promise<unknown> {
    const error = result?.[0];
    return error ? await this.#byText(call, error) : this.#written(result?.[1]);
  }

  /** Sends the script itself if the server did not know its name. */
  async #byText(call: ScriptCall, error: unknown): Promise<unknown> {
    if (!isNoScript(error)) {
      throw error;
    }
    return this.#written(await this.#call('eval', [call.script.lua, 1, call.key, ...call.args]));
  }

  /**
   * Past ioredis's automatic pipelines, which take the first argument for the key (of EVALSHA it is none) and on a Cluster
   * send the command to the wrong node.
   */
  async #call(command: string, args: Argument[], asBuffers = false): Promise<unknown> {
    if (optionsOf(this.#client).enableAutoPipelining !== true) {
      return await (asBuffers ? this.#client.callBuffer(command, args) : this.#client.call(command, args));
    }
    const pipeline = this.#client.pipeline();
    if (asBuffers) {
      pipeline.callBuffer(command, args);
    } else {
      pipeline.call(command, args);
    }
    const [error, result] = (await pipeline.exec())![0]!;
    if (error) {
      throw error;
    }
    return result;
  }

  #written(result: unknown): unknown {
    this.#hasWritten = true;
    return result;
  }

  async #told<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      throw toStoreError(error, this.#prefix, this.#hasWritten);
    }
  }
}

function byName({ script, key, args }: ScriptCall): Argument[] {
  return [script.sha, 1, key, ...args];
}
