/**
 * The Lua of the table of members and leases (lease-table.ts). It is part of the store's meta hash, so that it goes with
 * the incarnation and a write can look at it at no cost. KEYS[1] is meta, ARGV[1] the incarnation, ARGV[2] the member's
 * ID where there is one.
 */
const CLAIMED = `
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then
  return redis.error_reply('STORELOST the store was emptied or claimed anew')
end
`;

const EXPEL_FUNCTION = `
local function expel(member, fields)
  redis.call('HDEL', KEYS[1], 'member:' .. member)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 6) == 'lease:' and fields[i + 1] == member then redis.call('HDEL', KEYS[1], fields[i]) end
  end
end
`;

/** ARGV: incarnation, home, label, number of shards of a new store. Returns {id, number of shards}. */
export const JOIN = `${CLAIMED}${EXPEL_FUNCTION}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 7) == 'member:' and string.match(fields[i + 1], '^[^|]*') == ARGV[2] then
    expel(string.sub(fields[i], 8), fields)
  end
end
local id = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'members', 1))
redis.call('HSET', KEYS[1], 'member:' .. id, ARGV[2] .. '|0|0|0:|' .. ARGV[3])
redis.call('HSETNX', KEYS[1], 'shards', ARGV[4])
return {id, redis.call('HGET', KEYS[1], 'shards')}
`;

/**
 * ARGV: incarnation, member, its new value, fields and bytes of a field at most. Returns fields and values of the table,
 * or nothing for a member that was expelled.
 */
export const RENEW = `${CLAIMED}
local field = 'member:' .. ARGV[2]
if redis.call('HEXISTS', KEYS[1], field) == 0 then return {} end
redis.call('HSET', KEYS[1], field, ARGV[3])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then
  return redis.error_reply('STORELOST there are more members and leases than control planes make')
end
local table = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.find(fields[i], '^member:') or string.find(fields[i], '^lease:') then
    if #fields[i] + #fields[i + 1] > tonumber(ARGV[5]) then
      return redis.error_reply('STORELOST a member or a lease is larger than control planes make them')
    end
    table[#table + 1] = fields[i]
    table[#table + 1] = fields[i + 1]
  end
end
return table
`;

/**
 * ARGV: incarnation, member, first token of a store, one to be above, names. Returns name, token and version of each that
 * was taken. Tokens are counted with the epochs.
 */
export const ACQUIRE = `${CLAIMED}
if redis.call('HEXISTS', KEYS[1], 'member:' .. ARGV[2]) == 0 then return {} end
local taken = {}
for i = 5, #ARGV do
  local field = 'lease:' .. ARGV[i]
  local holder = redis.call('HGET', KEYS[1], field)
  if not holder or holder == ARGV[2] or redis.call('HEXISTS', KEYS[1], 'member:' .. holder) == 0 then
    local last = redis.call('HGET', KEYS[1], 'epoch')
    local token = last and tonumber(last) + 1 or tonumber(ARGV[3])
    token = string.format('%.0f', math.max(token, tonumber(ARGV[4]) + 1))
    redis.call('HSET', KEYS[1], 'epoch', token, field, ARGV[2])
    taken[#taken + 1] = {ARGV[i], token, redis.call('HGET', KEYS[1], 'version')}
  end
end
return taken
`;

/** ARGV: incarnation, member, names. */
export const RELEASE = `${CLAIMED}
for i = 3, #ARGV do
  local field = 'lease:' .. ARGV[i]
  if redis.call('HGET', KEYS[1], field) == ARGV[2] then redis.call('HDEL', KEYS[1], field) end
end
return 1
`;

/** ARGV: incarnation, member, the beat it was seen at; empty: whatever it is. Returns whether it was expelled. */
export const EXPEL = `${CLAIMED}${EXPEL_FUNCTION}
local value = redis.call('HGET', KEYS[1], 'member:' .. ARGV[2])
if not value then return 0 end
if ARGV[3] ~= '' and string.match(value, '^[^|]*|([^|]*)|') ~= ARGV[3] then return 0 end
expel(ARGV[2], redis.call('HGETALL', KEYS[1]))
return 1
`;
