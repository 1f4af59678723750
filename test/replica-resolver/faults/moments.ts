/** When what happened, on `clock.ts`. */
export interface Moments {
  /** The clients have begun, and are warm. */
  begun: number;
  /** The first fault has struck. */
  fault: number | undefined;
  /** A replica has become the primary. */
  promoted: number | undefined;
  /** The fault is being taken away. */
  healed: number | undefined;
  /** The clients were stopped. */
  ended: number;
}
