import { hash } from 'node:crypto';

/**
 * Stores a token (ARGV[1]) under a key unless the one there is greater, and lets the key last ARGV[2] ms more at least.
 *
 * Numbers are compared as text, shorter ones first: Lua's are doubles, which round above 2^53. And by bytes: `<` of strings
 * takes the order of the server's language, where 'aa' may come after 'z'. What is there and no token is replaced.
 */
const LUA = `
local function parts(text)
  if type(text) ~= 'string' or #text > 160 then return nil end
  local head = string.match(text, '^(.*)%.[%w_-]+$')
  for _, form in ipairs({ text, head }) do
    local cluster, timeline, lsn, at = string.match(form, '^v1%.([%l%d]+)%.(%d+)%.([a-f%d]+)%.([%l%d]+)$')
    if cluster then return { cluster, timeline, lsn, at } end
  end
  return nil
end

local function compare(a, b)
  a, b = string.gsub(a, '^0+', ''), string.gsub(b, '^0+', '')
  if #a ~= #b then return #a - #b end
  for i = 1, #a do
    local difference = string.byte(a, i) - string.byte(b, i)
    if difference ~= 0 then return difference end
  end
  return 0
end

local function greater(there, given)
  if not there or there[1] ~= given[1] then return false end
  for i = 2, 4 do
    local difference = compare(there[i], given[i])
    if difference ~= 0 then return difference > 0 end
  end
  return false
end

local given = parts(ARGV[1])
if not greater(parts(redis.pcall('GET', KEYS[1])), given) then
  local left = redis.call('PTTL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', math.max(left, tonumber(ARGV[2])))
elseif redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
`;

/** A Lua script of one key, and its name on the server. */
export const RAISE: { readonly lua: string; readonly sha: string } = { lua: LUA, sha: hash('sha1', LUA) };
