import { isLoopbackAddress, isLoopbackHost } from './loopback.ts';
import type { DashboardSettings } from './options.ts';
import type { PageRequest } from './request.ts';

/** Why a request may not see the page, and what to do about it, in sentences. */
export interface Refusal {
  readonly reason: string;
  readonly remedy: string;
}

const remedy =
  'To let others see it, say who: dashboard(timing, { authorize: request => isAdmin(request.headers) }). It is asked for every request, and only true opens the page.';

/**
 * `undefined`: it may. Queries tell much of an application, so that nobody sees them unless it was said: with `authorize`
 * whom that returns true for; without it nobody in production, and elsewhere programs of this machine that call it by a
 * name of this machine, and not through a proxy that others reach.
 */
export async function refusalOf(settings: DashboardSettings, request: PageRequest): Promise<Refusal | undefined> {
  const { authorize, production } = settings;
  if (!authorize) {
    return production ? { reason: 'In production nobody sees this page by default.', remedy } : notLocal(request);
  }
  const { headers, url, remoteAddress } = request;
  try {
    // The user may be JavaScript: a promise of something truthy is no yes.
    if ((await authorize({ headers, url, remoteAddress })) === true) {
      return undefined;
    }
  } catch {
    // What it says is for the application's own log, never for who asked.
  }
  return {
    reason: 'This page is not for you, says the application.',
    remedy: 'Its `authorize` option did not return true for this request.',
  };
}

function notLocal({ headers, remoteAddress, tellsAddress, host }: PageRequest): Refusal | undefined {
  if (remoteAddress === undefined ? tellsAddress : !isLoopbackAddress(remoteAddress)) {
    return {
      reason: 'Only the machine it runs on sees this page by default, and the request came from elsewhere.',
      remedy,
    };
  }
  if (host === undefined || !isLoopbackHost(host)) {
    return {
      reason:
        'This page answers by default only to localhost, 127.0.0.1 and [::1], and the request called it otherwise.',
      remedy,
    };
  }
  if (!cameDirectly(headers)) {
    return {
      reason:
        'Only the machine it runs on sees this page by default, and the request came through a proxy from elsewhere.',
      remedy,
    };
  }
  return undefined;
}

/** Whether every address that proxies on the way have noted down is of this machine. */
function cameDirectly(headers: Headers): boolean {
  // The standard one (RFC 7239) has a grammar that is not worth reading here: who sends it can name the user, too.
  if (headers.has('forwarded')) {
    return false;
  }
  const addresses = ['x-forwarded-for', 'x-real-ip', 'cf-connecting-ip'].map(name => headers.get(name));
  return (
    addresses.every(value => value === null || value.split(',').every(isLoopbackAddress)) &&
    (headers.get('x-forwarded-host') ?? 'localhost').split(',').every(isLoopbackHost)
  );
}
