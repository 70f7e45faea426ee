"""Which commands a worker may send, and where their keys are: the table that keeps each project inside its prefix.

What is not listed is refused, and the server's user of a project (`users.py`) may run nothing else either. Positions
count the arguments after the command's name and are Valkey's own (`COMMAND INFO`); a test compares them, and what is
said of writing and blocking, with the running servers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from v8box.bindings.cache import options
from v8box.bindings.cache.options import Argument, Refused, with_prefix


class Write(Enum):
    """What a command does to the data. `GROW`: it may need more memory (`denyoom` in `COMMAND INFO`)."""

    NO = "no"
    KEEP = "keep"
    GROW = "grow"


class Kind(Enum):
    """How a command is run."""

    PLAIN = "plain"
    BLOCKING = "blocking"
    """It may wait: on a connection of its own, for a bounded time."""
    SCRIPT = "script"
    OWN = "own"
    """It looks at names, or at keys that a pattern names: with the box's own user, bounded by the prefix alone."""


class Keys(Enum):
    """Which part of a reply holds keys."""

    NONE = "none"
    FIRST = "first"
    STREAMS = "streams"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a command has its keys, and what else is to be looked at.

    `first`, `last` and `step` are as in `COMMAND INFO` but counted from 0 without the name; a negative `last` counts
    from the end. With `counted_at` the number of keys stands there and the keys follow it, each `step` apart. `find`
    says itself where the keys are, `check` refuses arguments, `timeout_at` is where a blocking command has its seconds.
    `copies` says where the key of a result stands that may be far larger than the arguments.
    """

    first: int = 0
    last: int = 0
    step: int = 1
    counted_at: int | None = None
    find: Callable[[Sequence[Argument]], list[int]] | None = None
    check: Callable[[Sequence[Argument]], None] | None = None
    reply: Keys = Keys.NONE
    kind: Kind = Kind.PLAIN
    write: Write = Write.NO
    timeout_at: int | None = None
    copies: int | None = None

    def positions(self, args: Sequence[Argument]) -> range | list[int]:
        """The indexes of the keys among `args`."""
        if self.find is not None:
            return self.find(args)
        size = len(args)
        last = self.last if self.last >= 0 else size + self.last
        if self.counted_at is None:
            return range(self.first, min(last, size - 1) + 1, self.step)
        fixed = range(self.first, min(last, size - 1) + 1)
        if size <= self.counted_at:
            return fixed  # too few arguments: the server says so
        try:
            count = int(args[self.counted_at])
        except ValueError:
            raise Refused("the number of keys is not an integer") from None
        start = self.counted_at + 1
        return [*fixed, *range(start, min(start + max(0, count) * self.step, size), self.step)]


_NOWHERE: Final = -(10**9)
_ONE: Final = Rule()
_TWO: Final = Rule(last=1)
_ALL: Final = Rule(last=-1)
_PAIRS: Final = Rule(last=-1, step=2)
_SUBCOMMAND: Final = Rule(first=1, last=1)
_NONE: Final = Rule(last=_NOWHERE)
_COUNTED: Final = Rule(last=_NOWHERE, counted_at=0)
_COUNTED_AFTER_KEY: Final = Rule(counted_at=1)
_SCRIPT: Final = Rule(last=_NOWHERE, counted_at=1, kind=Kind.SCRIPT)
_BLOCKING: Final = Rule(last=-2, kind=Kind.BLOCKING, timeout_at=-1, reply=Keys.FIRST)
_BLOCKING_COUNTED: Final = Rule(last=_NOWHERE, counted_at=1, kind=Kind.BLOCKING, timeout_at=0, reply=Keys.FIRST)
_STREAMS: Final = Rule(find=options.stream_keys, reply=Keys.STREAMS)

# fmt: off
_PLACES: Final[dict[str, Rule]] = {
    **dict.fromkeys(
        # strings and bits
        "append bitcount bitfield bitfield_ro bitpos decr decrby delifeq get getbit getdel getex getrange getset incr "
        "incrby incrbyfloat psetex set setbit setex setnx setrange strlen substr "
        # any key
        "expire expireat expiretime persist pexpire pexpireat pexpiretime pttl ttl type "
        # hashes
        "hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby hincrbyfloat hkeys hlen hmget "
        "hmset hpersist hpexpire hpexpireat hpexpiretime hpttl hscan hset hsetex hsetnx hstrlen httl hvals "
        # lists
        "lindex linsert llen lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpush rpushx "
        # sets
        "sadd scard sismember smembers smismember spop srem sscan "
        # sorted sets
        "zadd zcard zcount zincrby zlexcount zmscore zpopmax zpopmin zrange zrangebylex zrangebyscore zrank zrem "
        "zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan "
        "zscore "
        # places, cardinality, streams
        "geoadd geodist geohash geopos georadius_ro georadiusbymember_ro geosearch pfadd xack xadd xautoclaim xclaim "
        "xdel xlen xpending xrange xrevrange xsetid xtrim".split(), _ONE),
    **dict.fromkeys("lcs lmove rename renamenx rpoplpush smove".split(), _TWO),
    **dict.fromkeys("zrangestore geosearchstore".split(), replace(_TWO, copies=0)),
    **dict.fromkeys("del exists mget pfcount sdiff sinter sunion touch unlink".split(), _ALL),
    **dict.fromkeys("pfmerge sdiffstore sinterstore sunionstore".split(), replace(_ALL, copies=0)),
    **dict.fromkeys("mset msetnx".split(), _PAIRS),
    "msetex": Rule(last=_NOWHERE, counted_at=0, step=2),
    **dict.fromkeys("object xgroup xinfo".split(), _SUBCOMMAND),
    "memory": replace(_SUBCOMMAND, check=options.only_usage),
    **dict.fromkeys("sintercard zdiff zinter zintercard zunion".split(), _COUNTED),
    **dict.fromkeys("zdiffstore zinterstore zunionstore".split(), replace(_COUNTED_AFTER_KEY, copies=0)),
    **dict.fromkeys("lmpop zmpop".split(), replace(_COUNTED, reply=Keys.FIRST)),
    **dict.fromkeys("hrandfield srandmember zrandmember".split(), Rule(check=options.bounded_random)),
    **dict.fromkeys("echo ping time".split(), _NONE),
    "bitop": Rule(first=1, last=-1, copies=1),
    "copy": Rule(last=1, check=options.no_other_database, copies=1),
    "publish": _ONE,  # a channel is confined like a key
    **dict.fromkeys(("setbit", "setrange", "bitfield"), Rule(copies=0)),  # an offset makes them large
    **dict.fromkeys(("sort", "sort_ro"), Rule(find=options.sort_keys)),
    "georadius": Rule(find=options.radius_keys),
    "georadiusbymember": Rule(find=options.radius_by_member_keys),
    **dict.fromkeys(("xread", "xreadgroup"), _STREAMS),
    # may wait
    **dict.fromkeys("blpop brpop bzpopmax bzpopmin".split(), _BLOCKING),
    **dict.fromkeys("blmpop bzmpop".split(), _BLOCKING_COUNTED),
    **dict.fromkeys("blmove brpoplpush".split(), Rule(last=1, kind=Kind.BLOCKING, timeout_at=-1)),
    # scripts
    **dict.fromkeys("eval eval_ro evalsha evalsha_ro".split(), _SCRIPT),
    "script": replace(_NONE, check=options.only_load_and_exists, kind=Kind.SCRIPT),
    # names
    "scan": replace(_NONE, kind=Kind.OWN, reply=Keys.ALL),
    "keys": replace(_NONE, kind=Kind.OWN, reply=Keys.ALL),
    "dbsize": replace(_NONE, kind=Kind.OWN),
}

_GROW: Final = frozenset(
    "append bitfield bitop blmove brpoplpush copy decr decrby eval evalsha geoadd georadius georadiusbymember "
    "geosearchstore getset hincrby hincrbyfloat hmset hset hsetex hsetnx incr incrby incrbyfloat linsert lmove lpush "
    "lpushx lset mset msetex msetnx pfadd pfmerge psetex rpoplpush rpush rpushx sadd sdiffstore set setbit setex setnx "
    "setrange sinterstore sort sunionstore xadd xgroup xsetid zadd zdiffstore zincrby zinterstore zrangestore "
    "zunionstore".split())
_KEEP: Final = frozenset(
    "blmpop blpop brpop bzmpop bzpopmax bzpopmin del delifeq expire expireat getdel getex hdel hexpire hexpireat "
    "hgetdel hgetex hpersist hpexpire hpexpireat lmpop lpop lrem ltrim persist pexpire pexpireat rename renamenx rpop "
    "smove spop srem unlink xack xautoclaim xclaim xdel xreadgroup xtrim zmpop zpopmax zpopmin zrem zremrangebylex "
    "zremrangebyrank zremrangebyscore".split())

_TABLE: Final[dict[str, Rule]] = {
    name: replace(rule, write=Write.GROW if name in _GROW else Write.KEEP if name in _KEEP else Write.NO)
    for name, rule in _PLACES.items()
}

_REASONS: Final = {
    **dict.fromkeys("wait waitaof".split(), "it waits for replicas, which are not a worker's business"),
    **dict.fromkeys("fcall fcall_ro function".split(), "functions are shared by all projects; use eval"),
    **dict.fromkeys("multi exec discard".split(), "use cache.multi()"),
    **dict.fromkeys("watch unwatch".split(), "a watch needs a connection of its own; do the check and the change in "
                    "one script with eval"),
    **dict.fromkeys("subscribe psubscribe unsubscribe punsubscribe".split(),
                    "use cache.subscribe(), cache.psubscribe() and what they give"),
    **dict.fromkeys("ssubscribe sunsubscribe spublish".split(), "no sharded channels; use publish and subscribe"),
    "pubsub": "it shows every project's channels",
    "randomkey": "it looks at every project's keys; use scan",
    **dict.fromkeys("move select swapdb".split(), "there is one database"),
}
# fmt: on


def rule_of(name: str) -> Rule | None:
    """The rule of an allowed command, None for any other. `name` is lower case."""
    return _TABLE.get(name)


def names() -> frozenset[str]:
    """Every command that is allowed."""
    return frozenset(_TABLE)


def server_names() -> list[str]:
    """What a project's user may run on the server, as `ACL SETUSER` names it: all but what shows other projects' names,
    and what the box itself sends on its behalf."""
    plain = {name for name, rule in _TABLE.items() if rule.kind is not Kind.OWN} - {"script", "memory"}
    return sorted(plain | {"script|load", "script|exists", "memory|usage", "multi", "exec", "discard", "client|id"})


def confine(name: str, args: list[Argument], prefix: str) -> tuple[list[Argument], Rule]:
    """The arguments with every key inside the project's prefix. `name` is lower case. Raises `Refused`."""
    rule = _TABLE.get(name)
    if rule is None:
        reason = _REASONS.get(name) or "it is no data command, or none that is available here"
        raise Refused(f"the command {name[:40]} is refused: {reason}")
    if rule.kind is Kind.OWN:
        return _confine_names(name, args, prefix), rule
    if rule.check is not None:
        rule.check(args)
    confined = list(args)
    for index in rule.positions(args):
        confined[index] = with_prefix(prefix, args[index])
    if name in ("sort", "sort_ro"):
        patterns = options.sort_patterns(args)
        for index in patterns:
            confined[index] = with_prefix(prefix, args[index])
        if patterns:
            # The server lets nobody use them who may not read every key.
            return confined, replace(rule, kind=Kind.OWN)
    elif name in ("xread", "xreadgroup"):
        block_at = options.block_option(args)
        if block_at is not None:
            return confined, replace(rule, kind=Kind.BLOCKING, timeout_at=block_at)
    return confined, rule


def _confine_names(name: str, args: list[Argument], prefix: str) -> list[Argument]:
    if name == "scan":
        return options.confine_scan(args, prefix)
    if name == "keys":
        if len(args) != 1:
            raise Refused("keys takes one pattern")
        return [with_prefix(prefix, args[0])]
    if args:
        raise Refused("dbsize takes no arguments")
    return [prefix + "*"]
