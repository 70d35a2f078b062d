"""The scripts that the state server runs: each reads, compares and writes without interruption.

Keys of every script: the hash of a session, the hash of the namespace, the set of session names.
The scripts also use the histories of the namespace, with their sizes in bytes (`sizes`), the order
in which they were last used (`order`), and their sum in the field `bytes` of the namespace.

The fields of a session: `g` its generation, `d` its document (its own layers and settings) and `dv`
how often that changed, `b` what layers remember and `bv` a name of that value, `n` the number of
its calls, `h` of which so many are in its history, `hg` how often the history was cleared. The
first byte of every other field is the kind of a count: `p` recordings played, `k` calls seen, `m`
calls that matched a layer, `f` calls that a layer applied to.
"""

from __future__ import annotations

from typing import Final

_HISTORIES: Final = """
local session, namespace, names = KEYS[1], KEYS[2], KEYS[3]
local prefix = string.sub(namespace, 1, -string.len('namespace') - 1)
local sizes, order = prefix .. 'sizes', prefix .. 'order'
local function find(name, generation, cleared)
  return prefix .. 'history:' .. name .. ':' .. generation .. ':' .. (cleared or '0')
end
local function add(history, bytes)
  redis.call('HINCRBY', sizes, history, bytes)
  return redis.call('HINCRBY', namespace, 'bytes', bytes)
end
local function discard(history)
  local size = redis.call('HGET', sizes, history)
  redis.call('DEL', history, history .. ':sent')
  redis.call('HDEL', sizes, history)
  redis.call('ZREM', order, history)
  return redis.call('HINCRBY', namespace, 'bytes', 0 - (size or 0))
end
"""

# The parts of a session that a server must know exactly. A server sends what it knows of them.
_COMPARE: Final = (
    _HISTORIES
    + """
local known = redis.call('HMGET', session, 'g', 'dv', 'bv', 'hg')
local clock = redis.call('HGET', namespace, 'clock') or '0'
local function differs(generation, document, memory)
  return (known[1] or '') ~= generation or (known[2] or '0') ~= document
    or (known[3] or '0') ~= memory
end
local function open(name)
  if not known[1] then
    -- the time, because a state server that lost its data counts from 1 again
    local number = redis.call('HINCRBY', namespace, 'generations', 1)
    known[1] = redis.call('TIME')[1] .. '-' .. number
    redis.call('HSET', session, 'g', known[1])
    redis.call('SADD', names, name)
  end
end
local function live(milliseconds)
  if milliseconds ~= '0' then redis.call('PEXPIRE', session, milliseconds) end
end
"""
)

# A call. Arguments: the name, the lifetime in milliseconds, generation, `dv`, `bv` and clock as
# known, the new memory or nothing and its name, the number of counts that must be as known, for
# each of them the field, the known and the new count, and for each other count the field and the
# number to add.
# Answers: 2, the number of the call and the generation; or what differs: 1, the clock and the
# counts; or 0, the clock and the whole session.
COMMIT: Final = (
    _COMPARE
    + """
if differs(ARGV[3], ARGV[4], ARGV[5]) or clock ~= ARGV[6] then
  return {0, clock, redis.call('HGETALL', session)}
end
local last = 9 + 3 * ARGV[9]
local fields, same = {}, true
for at = 10, last, 3 do
  fields[#fields + 1] = ARGV[at]
  same = same and (redis.call('HGET', session, ARGV[at]) or '0') == ARGV[at + 1]
end
if not same then
  for at = last + 1, #ARGV, 2 do fields[#fields + 1] = ARGV[at] end
  local counts = {}
  for _, field in ipairs(fields) do
    counts[#counts + 1] = field
    counts[#counts + 1] = redis.call('HGET', session, field) or '0'
  end
  return {1, clock, counts}
end
open(ARGV[1])
for at = 10, last, 3 do redis.call('HSET', session, ARGV[at], ARGV[at + 2]) end
for at = last + 1, #ARGV, 2 do redis.call('HINCRBY', session, ARGV[at], ARGV[at + 1]) end
if ARGV[8] ~= '' then redis.call('HSET', session, 'b', ARGV[7], 'bv', ARGV[8]) end
live(ARGV[2])
return {2, redis.call('HINCRBY', session, 'n', 1), known[1]}
"""
)

# A change by the control API. Arguments: the name, the lifetime, generation, `dv` and `bv` as
# known, what to do (`write`, `begin` anew, `drop` or `forget` the calls), the document, the memory,
# and the counts that end.
# Answers 1, or 0 if the session is not as known.
CHANGE: Final = (
    _COMPARE
    + """
if differs(ARGV[3], ARGV[4], ARGV[5]) then return 0 end
local action = ARGV[6]
if action ~= 'write' and known[1] then discard(find(ARGV[1], known[1], known[4])) end
if action == 'forget' then
  redis.call('HINCRBY', session, 'hg', 1)
  redis.call('HDEL', session, 'h')
  return 1
end
if action ~= 'write' then
  redis.call('DEL', session)
  redis.call('SREM', names, ARGV[1])
  known[1] = false
end
if action == 'drop' then return 1 end
for at = 9, #ARGV do redis.call('HDEL', session, ARGV[at]) end
open(ARGV[1])
redis.call('HSET', session, 'd', ARGV[7], 'b', ARGV[8])
redis.call('HSET', session, 'bv', 'd' .. redis.call('HINCRBY', session, 'dv', 1))
live(ARGV[2])
return 1
"""
)

# The end of all sessions.
RESET: Final = (
    _HISTORIES
    + """
for _, name in ipairs(redis.call('SMEMBERS', names)) do
  local key = prefix .. 'session:' .. name
  local known = redis.call('HMGET', key, 'g', 'hg')
  if known[1] then discard(find(name, known[1], known[2])) end
  redis.call('DEL', key)
end
redis.call('DEL', names)
return 1
"""
)

# The outcome of a call. Arguments: the name, the generation of the call, the number of calls that a
# history keeps, the lifetime, the outcome, the number of the call, and the bytes that all histories
# may have. Above them, the history that was not used for the longest time loses its oldest calls.
# Does nothing if the session has begun anew, or if the history has the call: a server sends an
# outcome again if it got no answer. `sent` has a bit for each call.
APPEND: Final = (
    _HISTORIES
    + """
local known = redis.call('HMGET', session, 'g', 'hg')
if known[1] ~= ARGV[2] then return 0 end
local history = find(ARGV[1], known[1], known[2])
local sent = history .. ':sent'
if redis.call('SETBIT', sent, ARGV[6], 1) == 1 then return 0 end
local function remove_oldest(from)
  local entry = redis.call('XRANGE', from, '-', '+', 'COUNT', 1)[1]
  redis.call('XDEL', from, entry[1])
  return add(from, -string.len(entry[2][2]))
end
redis.call('XADD', history, '*', 'o', ARGV[5])
redis.call('HINCRBY', session, 'h', 1)
local total = add(history, string.len(ARGV[5]))
if redis.call('XLEN', history) > tonumber(ARGV[3]) then total = remove_oldest(history) end
local time = redis.call('TIME')
redis.call('ZADD', order, time[1] .. '.' .. string.format('%06d', time[2]), history)
if ARGV[4] ~= '0' then
  redis.call('PEXPIRE', history, ARGV[4])
  redis.call('PEXPIRE', sent, ARGV[4])
end
while true do
  local oldest = redis.call('ZRANGE', order, 0, 0)[1]
  if redis.call('XLEN', oldest) == 0 and oldest ~= history then
    total = discard(oldest)  -- its time is over
  elseif total > tonumber(ARGV[7]) and redis.call('XLEN', oldest) > 0 then
    total = remove_oldest(oldest)
  else
    return 1
  end
end
"""
)
