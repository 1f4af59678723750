import { createHash } from 'node:crypto';

/*
 * Every script has one key, so that they run on a Cluster, and takes the time from the server. A key that holds another
 * type than a string, or a text that is none of ours, is as good as absent and is replaced.
 *
 * Nonces are the client's, with the server's microsecond added: ioredis sends a command again when the connection broke
 * before its answer came, and if that created a version anew under its old name, entries that were invalid would be valid
 * again.
 */

/** A Lua script and the name it has on the server. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

const TIME = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function int(n) return string.format('%.0f', n) end
local function nonce(text) return text .. '-' .. clock[1] .. clock[2] end
`;

/** `epoch` is nil if there is no registry. The text's form: `./registry-text.ts`. */
const REGISTRY = `${TIME}
local epoch, born, intents
local text = redis.pcall('GET', KEYS[1])
if type(text) == 'string' then
  epoch, born, intents = string.match(text, '^([%w_%-]+)|(%d+)(.*)$')
  if epoch and string.gsub(intents, ';[%w_%-]+:%d+:[%w_%-,]*', '') ~= '' then
    epoch = nil
  end
end
if epoch then
  born = tonumber(born)
end
local function write()
  redis.call('SET', KEYS[1], epoch .. '|' .. int(born) .. intents)
end
local function create(text)
  epoch, born, intents = nonce(text), now, ''
end
local function without(id)
  local kept, found = {}, 0
  local start = ';' .. id .. ':'
  for one in string.gmatch(intents, ';[^;]+') do
    if string.sub(one, 1, #start) == start then found = 1 else kept[#kept + 1] = one end
  end
  intents = table.concat(kept)
  return found
end
`;

/** @param ARGV nonce, grace. @returns text, now, settled */
export const BEGIN: Script = script(`${REGISTRY}
if not epoch then
  create(ARGV[1])
  write()
elseif born > now then
  born = now
  write()
end
return { epoch .. '|' .. int(born) .. intents, int(now), now - born >= tonumber(ARGV[2]) and 1 or 0 }
`);

/** @param ARGV nonce, id, ttl, tags */
export const OPEN: Script = script(`${REGISTRY}
if not epoch then create(ARGV[1]) end
without(ARGV[2])
intents = intents .. ';' .. ARGV[2] .. ':' .. int(now + ARGV[3]) .. ':' .. ARGV[4]
write()
return 1
`);

/** @param ARGV id. @returns whether it was there */
export const CLOSE: Script = script(`${REGISTRY}
if not epoch or without(ARGV[1]) == 0 then return 0 end
write()
return 1
`);

/** @param ARGV nonce */
export const RENEW: Script = script(`${REGISTRY}
if epoch then epoch = nonce(ARGV[1]) else create(ARGV[1]) end
write()
return 1
`);

/**
 * It is let live for twice as long as asked for: were it only just so long, every fill would extend it, and Redis tells
 * those that listen of that as of a change.
 *
 * @param ARGV nonce, ttl. @returns the version, which lives for at least ttl from now
 */
export const VERSION: Script = script(`${TIME}
local ttl = tonumber(ARGV[2])
local version = redis.pcall('GET', KEYS[1])
if type(version) ~= 'string' or version == '' then
  version = nonce(ARGV[1])
  redis.call('SET', KEYS[1], version, 'PX', int(2 * ttl))
else
  local left = redis.call('PTTL', KEYS[1])
  if left >= 0 and left < ttl then redis.call('PEXPIRE', KEYS[1], int(2 * ttl)) end
end
return version
`);

/** What never expires is no lease. @param ARGV owner, ttl. @returns whether the owner has it */
export const ACQUIRE: Script = script(`
local owner = redis.pcall('GET', KEYS[1])
if type(owner) == 'string' and owner ~= ARGV[1] and redis.call('PTTL', KEYS[1]) >= 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/** Who may not publish leaves those that wait to their polling. @param ARGV owner, channel, message */
export const RELEASE: Script = script(`
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return 1
`);

/** All that the scripts do, on a key of its own. */
export const PROBE: Script = script(`${TIME}
redis.call('SET', KEYS[1], '1', 'PX', 1000)
redis.call('GET', KEYS[1])
redis.call('PTTL', KEYS[1])
redis.call('PEXPIRE', KEYS[1], 1000)
redis.call('DEL', KEYS[1])
return 1
`);
