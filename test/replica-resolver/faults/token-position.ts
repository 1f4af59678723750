/** The parts of a token's text that matter here: `v1.<cluster>.<timeline>.<position, base 16>.<…>`. */
export function positionOf(token: string): bigint {
  return BigInt(`0x${token.split('.')[3]}`);
}

/** The same token with another position, or of another cluster, as nobody but a forger makes it. */
export function forged(token: string, { ahead = 0n, cluster }: { ahead?: bigint; cluster?: string }): string {
  const parts = token.split('.');
  parts[3] = (positionOf(token) + ahead).toString(16);
  parts[1] = cluster ?? parts[1]!;
  return parts.join('.');
}
