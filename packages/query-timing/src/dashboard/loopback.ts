/** Whether an address is one of this machine itself: 127.0.0.0/8, ::1, or the former written as IPv6. Pure. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address
    .trim()
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:/, '');
  return plain === '::1' || /^127(?:\.\d{1,3}){3}$/.test(plain);
}

/**
 * Whether a `Host` (with or without a port) is a name of this machine that no name server can point here: `localhost`,
 * what ends with `.localhost` (RFC 6761, 6.3), or a loopback address. A name that is resolved may belong to a page of a
 * stranger (DNS rebinding). Pure.
 */
export function isLoopbackHost(host: string): boolean {
  const name = host
    .trim()
    .toLowerCase()
    .replace(/:\d{1,5}$/, '');
  return name === 'localhost' || /^[\w.-]{1,200}\.localhost$/.test(name) || (name !== '::1' && isLoopbackAddress(name));
}
