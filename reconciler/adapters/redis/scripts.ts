/**
 * The Lua that runs inside Redis. A record is `version|generation|uid|created|specDigest|bodyDigest`, a line feed, the body, a line feed,
 * the status; canonical JSON has no raw line feed. Scripts never parse JSON: cjson would turn empty lists into empty objects.
 * Every script begins with the incarnation check, so that nothing is read from or written to a store that was emptied meanwhile.
 */
const CHECK = `
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then
  return redis.error_reply('STORELOST the store was emptied or claimed anew')
end
`;

/** KEYS: meta. ARGV: a new incarnation. Returns {incarnation, 1 when fresh}. */
export const OPEN = `
local current = redis.call('HGET', KEYS[1], 'incarnation')
if not current then
  current = ARGV[1]
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'incarnation', current, 'version', '0')
  for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
end
local ready = redis.call('HGET', KEYS[1], 'ready')
return {current, ready == '1' and 0 or 1}
`;

/** KEYS: meta. ARGV: incarnation. */
export const MARK_READY = `${CHECK}
redis.call('HSET', KEYS[1], 'ready', '1')
return 1
`;

/** KEYS: meta. ARGV: incarnation. Returns the newest version. */
export const POSITION = `${CHECK}
return redis.call('HGET', KEYS[1], 'version')
`;

/** KEYS: meta, one kind's hash. ARGV: incarnation, field. Returns the record or nil. */
export const GET = `${CHECK}
return redis.call('HGET', KEYS[2], ARGV[2])
`;

/** KEYS: meta, kinds' hashes. ARGV: incarnation. Returns the version, then one list of records per hash: one instant of the store. */
export const LIST = `${CHECK}
local reply = {redis.call('HGET', KEYS[1], 'version')}
for i = 2, #KEYS do reply[i] = redis.call('HVALS', KEYS[i]) end
return reply
`;

/** Arguments per operation of {@link WRITE}. */
export const WRITE_ARITY = 10;

/**
 * KEYS: meta, change stream, kinds' hashes. ARGV: incarnation, stream length, then per operation: verb, index of the hash in KEYS, field,
 * uid, expected version, creation time, specDigest, bodyDigest, body, status. Returns per operation {'ok', record} or {reason, detail}.
 * Stream entries have the id VERSION-0 and every version has exactly one entry, which is how a watcher sees that it missed one.
 */
export const WRITE = `${CHECK}
local function parse(record)
  local version, generation, uid, created, spec, digest, body, status =
    string.match(record, '^(%d+)|(%d+)|([^|]*)|([^|]*)|([^|]*)|([^|]*)\\n([^\\n]*)\\n(.*)$')
  return {version = version, generation = generation, uid = uid, created = created, spec = spec, digest = digest, body = body, status = status}
end
local function format(o)
  return table.concat({o.version, o.generation, o.uid, o.created, o.spec, o.digest}, '|') .. '\\n' .. o.body .. '\\n' .. o.status
end
local function publish(object, change)
  object.version = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'version', 1))
  local record = format(object)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], object.version .. '-0', change, record)
  return record
end

local results = {}
for first = 3, #ARGV, ${WRITE_ARITY} do
  local verb, hash, field, uid, expected = ARGV[first], KEYS[tonumber(ARGV[first + 1])], ARGV[first + 2], ARGV[first + 3], ARGV[first + 4]
  local created, spec, digest, body, status = ARGV[first + 5], ARGV[first + 6], ARGV[first + 7], ARGV[first + 8], ARGV[first + 9]
  local record = redis.call('HGET', hash, field)
  local result
  if verb == 'create' then
    if record then
      result = {'AlreadyExists', parse(record).version}
    else
      record = publish({generation = '1', uid = uid, created = created, spec = spec, digest = digest, body = body, status = status}, 'put')
      redis.call('HSET', hash, field, record)
      result = {'ok', record}
    end
  elseif not record then
    result = {'NotFound', ''}
  else
    local object = parse(record)
    if (uid ~= '' and uid ~= object.uid) then
      result = {'Conflict', 'uid ' .. object.uid}
    elseif (expected ~= '' and expected ~= object.version) then
      result = {'Conflict', 'resourceVersion ' .. object.version}
    elseif verb == 'delete' then
      redis.call('HDEL', hash, field)
      result = {'ok', publish(object, 'delete')}
    elseif (verb == 'update' and digest == object.digest) or (verb == 'updateStatus' and status == object.status) then
      result = {'ok', record}
    else
      if verb == 'update' then
        if spec ~= object.spec then object.generation = string.format('%.0f', object.generation + 1) end
        object.spec, object.digest, object.body = spec, digest, body
      else
        object.status = status
      end
      record = publish(object, 'put')
      redis.call('HSET', hash, field, record)
      result = {'ok', record}
    end
  end
  results[#results + 1] = result
end
return results
`;
