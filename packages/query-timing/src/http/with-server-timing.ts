/** An answer with one more Server-Timing. Never the same one: it may be immutable, or be given to several clients. */
export function withServerTiming(Made: typeof Response, answer: Response, value: string): Response {
  // Below 200 stands for an error or another protocol: no copy can be made.
  if (!(answer?.status >= 200)) {
    return answer;
  }
  const { body, status, statusText, headers } = answer;
  const copy = new Made(body, { status, statusText, headers });
  copy.headers.append('server-timing', value);
  return copy;
}
