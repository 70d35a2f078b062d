"""The scripts that the state server runs: each reads, compares and writes without interruption.

Keys of every script: the hash of a session, the hash of the namespace, the set of session names.

The fields of a session: `g` its generation, `d` its document (its own layers and settings) and `dv`
how often that changed, `b` what layers remember and `bv` how often that changed, `n` the number of
its calls, `h` of which so many are in its history, `hg` how often the history was cleared. The
first byte of every other field is the kind of a count: `p` recordings played, `k` calls seen, `m`
calls that matched a layer, `f` calls that a layer applied to.
"""

from __future__ import annotations

from typing import Final

# The parts of a session that a server must know exactly. A server sends what it knows of them.
_COMPARE: Final = """
local session, namespace, names = KEYS[1], KEYS[2], KEYS[3]
local known = redis.call('HMGET', session, 'g', 'dv', 'bv')
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

# A call. Arguments: the name, the lifetime in milliseconds, generation, `dv`, `bv` and clock as
# known, the new memory or nothing, the number of counts that must be as known, for each of them the
# field, the known and the new count, and for each other count the field and the number to add.
# Answers: 2, the number of the call and the generation; or what differs: 1, the clock and the
# counts; or 0, the clock and the whole session.
COMMIT: Final = (
    _COMPARE
    + """
if differs(ARGV[3], ARGV[4], ARGV[5]) or clock ~= ARGV[6] then
  return {0, clock, redis.call('HGETALL', session)}
end
local last = 8 + 3 * ARGV[8]
local fields, same = {}, true
for at = 9, last, 3 do
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
for at = 9, last, 3 do redis.call('HSET', session, ARGV[at], ARGV[at + 2]) end
for at = last + 1, #ARGV, 2 do redis.call('HINCRBY', session, ARGV[at], ARGV[at + 1]) end
if ARGV[7] ~= '' then
  redis.call('HSET', session, 'b', ARGV[7])
  redis.call('HINCRBY', session, 'bv', 1)
end
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
redis.call('HINCRBY', session, 'dv', 1)
redis.call('HINCRBY', session, 'bv', 1)
live(ARGV[2])
return 1
"""
)

# The outcome of a call. Keys: the hash of the session, and the prefix of histories. Arguments: the
# name, the generation of the call, the number of calls that a history keeps, the lifetime, the
# outcome, the number of the call. Does nothing if the session has begun anew, or if the history has
# the call: a server sends an outcome again if it got no answer. `sent` has a bit for each call.
APPEND: Final = """
local known = redis.call('HMGET', KEYS[1], 'g', 'hg')
if known[1] ~= ARGV[2] then return 0 end
local history = KEYS[2] .. ARGV[1] .. ':' .. known[1] .. ':' .. (known[2] or '0')
local sent = history .. ':sent'
if redis.call('SETBIT', sent, ARGV[6], 1) == 1 then return 0 end
redis.call('XADD', history, 'MAXLEN', ARGV[3], '*', 'o', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'h', 1)
if ARGV[4] ~= '0' then
  redis.call('PEXPIRE', history, ARGV[4])
  redis.call('PEXPIRE', sent, ARGV[4])
end
return 1
"""
