/** Something the person at the keyboard can put right: printed as its message, without a stack. */
export class UserError extends Error {
  /** @override */
  name = 'UserError';
}
