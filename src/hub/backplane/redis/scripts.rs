//! The scripts that the server runs atomically.
//!
//! The identifier of a stream's entry is the position: the epoch, which is the time in milliseconds at which it began, and the
//! offset. So the entries of a later epoch follow those of an earlier one, and a reader that knows the earlier one finds them.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisResult, Script, Value, cmd, from_redis_value};
use bytes::Bytes;

use crate::error::BoxError;
use crate::hub::backplane::remote::{Entry, Envelope, Last, Outgoing};
use crate::hub::from_broker::Retention;
use crate::hub::position::Position;

/// The scripts by their hashes.
#[derive(Clone)]
pub(super) struct Scripts {
    publish: Script,
    read: Script,
}

/// A part of a topic's log.
#[derive(Debug)]
pub(super) struct Read {
    /// The position of the last publication in the log.
    pub(super) position: Position,
    pub(super) entries: Vec<Entry>,
    /// There may be more entries.
    pub(super) is_full: bool,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let read = READ.replace("ID_END", &Envelope::ID.end.to_string());
        Self { publish: script(PUBLISH), read: script(&read) }
    }

    pub(super) async fn load(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        for script in [&self.publish, &self.read] {
            script.load_async(connection).await?;
        }
        Ok(())
    }

    /// Publishes, unless it was published already.
    pub(super) fn publish(&self, key: &str, outgoing: &Outgoing, known: Option<Position>) -> Cmd {
        let Outgoing { id, envelope, retention, .. } = outgoing;
        // A zero byte, so that it is not the key of another topic.
        let published = format!("{key}\0{:016x}", id.hub);
        let mut cmd = self.call(&self.publish, &[key, &published], known, *retention);
        cmd.arg(&envelope[..]).arg(id.number).arg(milliseconds(REMEMBERED));
        cmd
    }

    /// Reads the log from the last publication on, or without one the last `count` entries in reverse order.
    pub(super) fn read(&self, key: &str, last: Option<Last>, count: usize, retention: Retention) -> Cmd {
        let mut cmd = self.call(&self.read, &[key], last.map(|last| last.position), retention);
        cmd.arg(if last.is_some() { PAGE } else { count.max(1) });
        cmd
    }

    /// Begins a new epoch. The offset that is passed is larger than any, so that the script treats the stream's end as lost.
    pub(super) fn begin_epoch(&self, key: &str, epoch: u64, retention: Retention) -> Cmd {
        let mut cmd = self.call(&self.read, &[key], Some(Position::new(epoch, LAST_OFFSET)), retention);
        cmd.arg(1);
        cmd
    }

    fn call(&self, script: &Script, keys: &[&str], known: Option<Position>, retention: Retention) -> Cmd {
        let mut cmd = cmd("EVALSHA");
        cmd.arg(script.get_hash()).arg(keys.len()).arg(keys);
        match known {
            Some(position) => cmd.arg(position.epoch()).arg(position.offset()),
            None => cmd.arg(-1).arg(0),
        };
        cmd.arg(retention.count).arg(milliseconds(retention.within));
        cmd
    }
}

/// Parses the answer to [`Scripts::read`].
pub(super) fn parse_read(value: Value) -> Result<Read, BoxError> {
    let (now, last, entries): (u64, String, Vec<(String, u64, Bytes)>) = from_redis_value(value)?;
    let is_full = entries.len() >= PAGE;
    let entries = entries.into_iter().map(|(id, published, envelope)| {
        let position = parse_id(&id)?;
        let age = Duration::from_millis(now.saturating_sub(published));
        Ok(entry(position, envelope, age))
    });
    Ok(Read { position: parse_id(&last)?, entries: entries.collect::<Result<_, BoxError>>()?, is_full })
}

/// Parses a message of a topic's channel.
pub(super) fn parse_message(payload: Bytes) -> Result<Entry, BoxError> {
    let space = memchr::memchr(b' ', &payload).ok_or("a message without a position")?;
    let position = parse_id(std::str::from_utf8(&payload[..space])?)?;
    Ok(entry(position, payload.slice(space + 1..), Duration::ZERO))
}

fn entry(position: Position, envelope: Bytes, age: Duration) -> Entry {
    Entry { position, previous: position.offset().saturating_sub(1), envelope, age }
}

fn parse_id(id: &str) -> Result<Position, BoxError> {
    let (epoch, offset) = id.split_once('-').ok_or("an identifier without an offset")?;
    Ok(Position::new(epoch.parse()?, offset.parse()?))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn script(code: &str) -> Script {
    Script::new(&format!("{LAST}{code}"))
}

/// How many entries are read at once.
const PAGE: usize = 128;
/// How long the number of a hub's last publication to a topic is stored. What was sent over a broken connection may arrive after
/// what the next connection sends, for as long as TCP retransmits it.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// The largest offset: integers of Lua are exact up to here.
const LAST_OFFSET: u64 = 1 << 53;

/// The common beginning of both scripts: finds the end of the stream. If the caller knows a later position, the server has lost
/// something: then an epoch begins that is later than any before.
const LAST: &str = r"
local key, known_epoch, known_offset = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local count, time_to_live = ARGV[3], tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch, offset = -1, 0
local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
if last then
    local last_epoch, last_offset = string.match(last[1], '(%d+)-(%d+)')
    epoch, offset = tonumber(last_epoch), tonumber(last_offset)
end
local is_new = epoch < 0 or epoch < known_epoch or (epoch == known_epoch and offset < known_offset)
if is_new then
    epoch, offset = math.max(now, known_epoch + 1, epoch + 1), 0
end
local function id() return string.format('%.0f-%.0f', epoch, offset) end
local function add(envelope)
    redis.call('XADD', key, 'MAXLEN', '~', count, id(), 'e', envelope, 't', string.format('%.0f', now))
    redis.call('PUBLISH', key, id() .. ' ' .. envelope)
end
local function keep()
    if redis.call('PTTL', key) < time_to_live then redis.call('PEXPIRE', key, time_to_live) end
end
";

const PUBLISH: &str = r"
local envelope, number, remembered = ARGV[5], ARGV[6], ARGV[7]
if tonumber(number) <= tonumber(redis.call('GET', KEYS[2]) or '-1') then return 0 end
offset = offset + 1
add(envelope)
redis.call('SET', KEYS[2], number, 'PX', remembered)
keep()
return 1
";

const READ: &str = r"
if is_new then add('') end
keep()
local found
if known_epoch < 0 then
    found = redis.call('XREVRANGE', key, '+', '-', 'COUNT', ARGV[5])
else
    found = redis.call('XRANGE', key, string.format('%.0f-%.0f', known_epoch, known_offset), '+', 'COUNT', ARGV[5])
end
local entries = {}
local known = string.format('%.0f-%.0f', known_epoch, known_offset)
for _, entry in ipairs(found) do
    local envelope = entry[2][2]
    -- The caller has it, and compares its identifier.
    if entry[1] == known then envelope = string.sub(envelope, 1, ID_END) end
    entries[#entries + 1] = { entry[1], tonumber(entry[2][4]) or 0, envelope }
end
return { now, id(), entries }
";
