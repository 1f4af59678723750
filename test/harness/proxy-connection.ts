import type { Socket } from 'node:net';
import type { CutAt, ProxyMode } from './proxy.ts';

export interface ConnectionEvents {
  up(bytes: number): void;
  down(bytes: number): void;
  closed(): void;
  /** Asked for whatever the client sends: whether it is to be cut off there. */
  request(data: Buffer): CutAt | undefined;
}

/** One client, one socket to the server, and the two directions between them. */
export class ProxyConnection {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #directions: readonly [Direction, Direction];
  /** The next answer is to be lost. */
  #losesAnswer = false;

  constructor(client: Socket, upstream: Socket, mode: ProxyMode, events: ConnectionEvents) {
    this.#client = client;
    this.#upstream = upstream;
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      // Broken on one side is broken on both; this also covers a server that refuses us.
      socket.on('error', () => this.reset());
    }
    this.#directions = [
      new Direction(
        client,
        upstream,
        mode,
        bytes => events.up(bytes),
        data => this.#lost(events.request(data)),
      ),
      new Direction(
        upstream,
        client,
        mode,
        bytes => events.down(bytes),
        () => this.#losesAnswer && this.#lost('request'),
      ),
    ];
    let left = 2;
    const closed = (): void => {
      left -= 1;
      if (left === 0) {
        events.closed();
      }
    };
    client.once('close', closed);
    upstream.once('close', closed);
  }

  enter(mode: ProxyMode): void {
    this.#directions.forEach(direction => direction.enter(mode));
  }

  /** Whether what has just come is not to be forwarded. */
  #lost(cut: CutAt | undefined): boolean {
    this.#losesAnswer ||= cut === 'answer';
    if (cut === 'request') {
      this.reset();
    }
    return cut === 'request';
  }

  reset(): void {
    this.#directions.forEach(direction => direction.stop());
    this.#client.resetAndDestroy();
    this.#upstream.destroy();
  }
}

/** Data (or the end, `undefined`) on its way, and the earliest time it may arrive. */
interface Parcel {
  readonly data: Buffer | undefined;
  readonly due: number;
}

/** Carries bytes from one socket to the other, in order, in the way that the mode says. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #count: (bytes: number) => void;
  readonly #isLost: (data: Buffer) => boolean;
  readonly #queue: Parcel[] = [];
  #mode: ProxyMode;
  /** The time, in ms, up to which the bandwidth has been used. */
  #busyUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #ended = false;

  constructor(
    from: Socket,
    to: Socket,
    mode: ProxyMode,
    count: (bytes: number) => void,
    isLost: (data: Buffer) => boolean,
  ) {
    this.#from = from;
    this.#to = to;
    this.#mode = mode;
    this.#count = count;
    this.#isLost = isLost;
    from.on('data', (data: Buffer) => {
      if (!this.#isLost(data)) {
        this.#accept(data);
      }
    });
    from.once('end', () => this.#end());
    // A socket that closes while it is not read says no 'end', and the other one would stay open for ever.
    from.once('close', () => this.#end());
    to.on('drain', () => this.#flow());
    this.#flow();
  }

  enter(mode: ProxyMode): void {
    this.#mode = mode;
    this.#busyUntil = 0;
    this.#flow();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #end(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#accept(undefined);
    }
  }

  #accept(data: Buffer | undefined): void {
    this.#queue.push({ data, due: this.#mode.name === 'delay' ? performance.now() + this.#mode.ms : 0 });
    this.#flow();
  }

  /** Forwards what is due, then reads on, waits for the rest to become due, or does nothing until called again. */
  #flow(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) {
      return;
    }
    if (this.#mode.name === 'blackHole') {
      this.#from.pause();
      return;
    }
    for (let parcel = this.#queue[0]; parcel; parcel = this.#queue[0]) {
      const wait = this.#waitFor(parcel);
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#flow(), wait);
        break;
      }
      if (this.#to.writableNeedDrain) {
        break;
      }
      this.#forward(parcel);
    }
    // While throttled or backed up, TCP itself holds the sender back; a delay line keeps reading.
    if (this.#queue.length === 0 || this.#mode.name === 'delay') {
      this.#from.resume();
    } else {
      this.#from.pause();
    }
  }

  /** Milliseconds until the first byte of `parcel` may go. */
  #waitFor(parcel: Parcel): number {
    const now = performance.now();
    if (this.#mode.name === 'delay') {
      return Math.ceil(parcel.due - now);
    }
    return this.#mode.name === 'throttle' ? Math.ceil(this.#busyUntil - now) : 0;
  }

  #forward(parcel: Parcel): void {
    this.#queue.shift();
    if (parcel.data === undefined) {
      this.#to.end();
      return;
    }
    const now = this.#portion(parcel.data);
    this.#to.write(now);
    this.#count(now.length);
    if (now.length < parcel.data.length) {
      this.#queue.unshift({ data: parcel.data.subarray(now.length), due: 0 });
    }
  }

  /** When throttled, what a fiftieth of a second allows, at least one byte. */
  #portion(data: Buffer): Buffer {
    if (this.#mode.name !== 'throttle') {
      return data;
    }
    const size = Math.max(1, Math.floor(this.#mode.bytesPerSecond / 50));
    const portion = data.subarray(0, size);
    this.#busyUntil = performance.now() + (portion.length / this.#mode.bytesPerSecond) * 1000;
    return portion;
  }
}
