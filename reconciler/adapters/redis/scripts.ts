/**
 * The Lua that runs inside Redis. A record is a header line, the body, a line feed, the status (record.ts); canonical
 * JSON has no raw line feed. Scripts never parse JSON: cjson would turn empty lists into empty objects. Every script
 * but OPEN begins with a check of incarnation and position, so that nothing is read from or written to a store that was
 * emptied meanwhile, or that came back with older data. KEYS[1] is meta, ARGV[1] the incarnation, ARGV[2] the version
 * it had already.
 */
import { PARTS_KEPT } from '../../core/storage/stream-parts.ts';

const CHECK = `
local meta = redis.call('HMGET', KEYS[1], 'incarnation', 'version')
if meta[1] ~= ARGV[1] then
  return redis.error_reply('STORELOST the store was emptied or claimed anew')
end
if tonumber(meta[2]) < tonumber(ARGV[2]) then
  return redis.error_reply('STORELOST the store came back with older data: it is at version ' .. meta[2] .. ' and was at ' .. ARGV[2])
end
`;

/**
 * ARGV[3]: the member that writes, or nothing. One that was expelled (lease-scripts.ts) writes nothing any more, whatever
 * it believes to hold: others do its work.
 */
const FENCE = `
if ARGV[3] ~= '' and redis.call('HEXISTS', KEYS[1], 'member:' .. ARGV[3]) == 0 then
  return redis.error_reply('STOREFENCED another control plane took over what this one held')
end
`;

/**
 * Meta counts each kind's objects: a hash that was evicted or deleted does not go unseen. Answers the first of the
 * kinds' hashes, KEYS[2] and on, that is not as large as its count; with `counted`, those of no objects are not looked at.
 */
const COUNTED = `
local function countOf(hash) return 'count:' .. string.match(hash, ':objects:(.+)$') end
local function incomplete(counted)
  local fields = {}
  for i = 2, #KEYS do fields[i - 1] = countOf(KEYS[i]) end
  local counts = redis.call('HMGET', KEYS[1], unpack(fields))
  for i = 2, #KEYS do
    local count = tonumber(counts[i - 1] or '0')
    if not (counted and count == 0) and redis.call('HLEN', KEYS[i]) ~= count then return KEYS[i] end
  end
end
`;

/** Proofs of deletions that are kept for those who missed the change: a few MB. */
const DELETIONS_KEPT = 50_000;

const CHECK_COUNTS = `
local hash = incomplete(false)
if hash then return redis.error_reply('STORELOST objects are missing from ' .. hash) end
`;

/**
 * KEYS: meta, all kinds' hashes. ARGV: a new incarnation, format, name of the key, incarnation and version known,
 * prefixes of the change streams and of the deletions, then incarnations that are over. Returns {incarnation, 1 when
 * fresh, version}. What is older than known, in another format or incomplete is emptied and claimed anew; hashes that
 * another version named otherwise are known by their counts.
 */
export const OPEN = `${COUNTED}
local function isHash(key)
  local type = redis.call('TYPE', key).ok
  return type == 'hash' or type == 'none'
end
local whole = true
for i = 1, #KEYS do whole = whole and isHash(KEYS[i]) end
local current, version, format, seal, ready
if isHash(KEYS[1]) then
  current, version, format, seal, ready = unpack(redis.call('HMGET', KEYS[1], 'incarnation', 'version', 'format', 'seal', 'ready'))
end
if current and format == ARGV[2] and seal ~= ARGV[3] then return redis.error_reply('STORESEALED another key') end
whole = whole and format == ARGV[2] and tonumber(version or '') ~= nil
whole = whole and not incomplete(false)
local back = whole and current == ARGV[4] and tonumber(version) < tonumber(ARGV[5])
for i = 8, #ARGV do back = back or current == ARGV[i] end
if not current or not whole or back then
  if current then redis.call('DEL', ARGV[6] .. current, ARGV[7] .. current) end
  if isHash(KEYS[1]) then
    local prefix = string.match(KEYS[1], '^(.*):meta$') .. ':objects:'
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      local counted = string.match(field, '^count:(.+)$')
      if counted then redis.call('DEL', prefix .. counted) end
    end
  end
  for i = 1, #KEYS do redis.call('DEL', KEYS[i]) end
  current, version, ready = ARGV[1], '0', '0'
  redis.call('HSET', KEYS[1], 'incarnation', current, 'version', version, 'format', ARGV[2], 'seal', ARGV[3])
end
return {current, ready == '1' and 0 or 1, version}
`;

export const MARK_READY = `${CHECK}${FENCE}
redis.call('HSET', KEYS[1], 'ready', '1')
return 1
`;

/**
 * KEYS: meta. ARGV: check, an epoch to be above, the first one. Returns the new epoch. Lua's numbers are exact below
 * 2^53.
 */
export const NEXT_EPOCH = `${CHECK}
local last = redis.call('HGET', KEYS[1], 'epoch')
local epoch = last and tonumber(last) + 1 or tonumber(ARGV[4])
epoch = string.format('%.0f', math.max(epoch, tonumber(ARGV[3]) + 1))
redis.call('HSET', KEYS[1], 'epoch', epoch)
return epoch
`;

/**
 * KEYS: meta, all kinds' hashes. Returns the newest version, after a look at the counts: every watcher asks twice a
 * second, so that kinds without objects are left to those who read them.
 */
export const POSITION = `${CHECK}${COUNTED}
local hash = incomplete(true)
if hash then return redis.error_reply('STORELOST objects are missing from ' .. hash) end
return meta[2]
`;

/** KEYS: meta, one kind's hash. ARGV: check, field. Returns the record or nil. */
export const GET = `${CHECK}${COUNTED}${CHECK_COUNTS}
return redis.call('HGET', KEYS[2], ARGV[3])
`;

/**
 * KEYS: meta, kinds' hashes. Returns the version, then one list of fields and records per hash: one instant of the
 * store.
 */
export const LIST = `${CHECK}${COUNTED}${CHECK_COUNTS}
local reply = {meta[2]}
for i = 2, #KEYS do reply[i] = redis.call('HGETALL', KEYS[i]) end
return reply
`;

/** KEYS: meta, deletions. ARGV: check, the first version, how many. Returns entries of uid and proof. */
export const DELETIONS = `${CHECK}
return redis.call('XRANGE', KEYS[2], ARGV[3], '+', 'COUNT', ARGV[4])
`;

/**
 * KEYS: meta, change stream, deletions, kinds' hashes. ARGV: check, member, bytes of a part of the stream, then per
 * operation (12 of them): verb, index of the hash in KEYS, field, uid, expected version, creation time, specDigest, bodyDigest,
 * bodyProof, statusProof, body, status; of a delete its proof in the place of bodyProof. Returns per operation
 * {'ok', record}, or why not with the record that is there: {'NotFound'}, {'AlreadyExists', record} or
 * {'Conflict', record, the field that differs}. A delete that is proved for another version than the one that is there
 * ends the run with {'unproved', record}. Stream entries have the id VERSION-0 and every version has exactly one entry,
 * which is how a watcher sees that it missed one. The stream's parts are those of core/storage/stream-parts.ts:
 * `streamBytes` counts the open one, `streamParts` has the versions that newer parts begin with.
 */
export const WRITE = `${CHECK}${FENCE}${COUNTED}
local function parse(record)
  local version, generation, uid, created, spec, digest, bodyProof, statusProof, body, status =
    string.match(record, '^(%d+)|(%d+)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|\\n([^\\n]*)\\n(.*)$')
  return {
    version = version, generation = generation, uid = uid, created = created, spec = spec, digest = digest,
    bodyProof = bodyProof, statusProof = statusProof, body = body, status = status,
  }
end
local function format(o)
  return table.concat({
    o.version, o.generation, o.uid, o.created, o.spec, o.digest, o.bodyProof, o.statusProof, o.endProof or '',
  }, '|') .. '\\n' .. o.body .. '\\n' .. o.status
end
local version, more = tonumber(meta[2]), {}
local stream = redis.call('HMGET', KEYS[1], 'streamBytes', 'streamParts')
local bytes, starts = tonumber(stream[1] or '') or 0, {}
for start in string.gmatch(stream[2] or '', '%d+') do starts[#starts + 1] = start end
local function publish(object, change)
  version = version + 1
  object.version = string.format('%.0f', version)
  local record = format(object)
  redis.call('XADD', KEYS[2], object.version .. '-0', change, record)
  bytes = bytes + #record
  if bytes >= tonumber(ARGV[4]) then
    bytes = 0
    starts[#starts + 1] = string.format('%.0f', version + 1)
    if #starts > ${PARTS_KEPT} then redis.call('XTRIM', KEYS[2], 'MINID', table.remove(starts, 1) .. '-0') end
  end
  return record
end

local results = {}
for first = 5, #ARGV, 12 do
  local verb, hash, field, uid, expected = ARGV[first], KEYS[tonumber(ARGV[first + 1])], ARGV[first + 2], ARGV[first + 3], ARGV[first + 4]
  local created, spec, digest, bodyProof, statusProof = ARGV[first + 5], ARGV[first + 6], ARGV[first + 7], ARGV[first + 8], ARGV[first + 9]
  local body, status = ARGV[first + 10], ARGV[first + 11]
  local record = redis.call('HGET', hash, field)
  local result
  if verb == 'create' then
    if record then
      result = {'AlreadyExists', record}
    else
      record = publish({
        generation = '1', uid = uid, created = created, spec = spec, digest = digest,
        bodyProof = bodyProof, statusProof = statusProof, body = body, status = status,
      }, 'put')
      redis.call('HSET', hash, field, record)
      more[hash] = (more[hash] or 0) + 1
      result = {'ok', record}
    end
  elseif not record then
    result = {'NotFound'}
  else
    local object = parse(record)
    if (uid ~= '' and uid ~= object.uid) then
      result = {'Conflict', record, 'uid'}
    elseif (expected ~= '' and expected ~= object.version) then
      result = {'Conflict', record, 'resourceVersion'}
    elseif verb == 'delete' then
      if string.match(bodyProof, '^(%d+)[.]') ~= object.version then
        results[#results + 1] = {'unproved', record}
        break
      end
      redis.call('HDEL', hash, field)
      more[hash] = (more[hash] or 0) - 1
      object.endProof = bodyProof
      result = {'ok', publish(object, 'delete')}
      redis.call('XADD', KEYS[3], 'MAXLEN', '~', ${DELETIONS_KEPT}, object.version .. '-0', object.uid, bodyProof)
    elseif (verb == 'update' and digest == object.digest) or (verb == 'updateStatus' and status == object.status) then
      result = {'ok', record}
    else
      if verb == 'update' then
        if spec ~= object.spec then object.generation = string.format('%.0f', object.generation + 1) end
        object.spec, object.digest, object.bodyProof, object.body = spec, digest, bodyProof, body
      else
        object.statusProof, object.status = statusProof, status
      end
      record = publish(object, 'put')
      redis.call('HSET', hash, field, record)
      result = {'ok', record}
    end
  end
  results[#results + 1] = result
end
if version > tonumber(meta[2]) then
  redis.call('HSET', KEYS[1], 'version', string.format('%.0f', version),
    'streamBytes', string.format('%.0f', bytes), 'streamParts', table.concat(starts, ' '))
end
for hash, count in pairs(more) do
  if count ~= 0 then redis.call('HINCRBY', KEYS[1], countOf(hash), count) end
end
return results
`;
