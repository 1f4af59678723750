/**
 * The header `traceparent` of a request, if it is well formed; of a version that is not known yet, what all versions have in
 * common. Nothing that was not checked is passed on.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function traceParent(header: unknown): string | undefined {
  if (typeof header !== 'string') {
    return undefined;
  }
  const [common] = FORM.exec(header) ?? [];
  return common === undefined || (common.startsWith('00') && header.length > common.length) ? undefined : common;
}

/** Version, trace, parent (neither all zeros) and flags. */
const FORM = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?=$|-)/;
