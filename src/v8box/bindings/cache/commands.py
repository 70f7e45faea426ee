"""Which commands a worker may send, and where their keys are: the table that keeps each project inside its prefix.

What is not listed is refused. Positions count the arguments after the command's name and are Valkey's own
(`COMMAND INFO`); a test compares them with the running server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Argument = str | bytes
MAX_SCAN_COUNT: Final = 10_000  # keys looked at by one SCAN; the server does nothing else meanwhile
MAX_RANDOM_COUNT: Final = 10_000  # members one SRANDMEMBER or HRANDFIELD may repeat: a reply of any size otherwise


class Refused(Exception):
    """The command may not run. The text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a command has its keys, and what else is to be looked at.

    `first`, `last` and `step` are as in `COMMAND INFO` but counted from 0 without the name; a negative `last` counts
    from the end. With `counted_at` the number of keys stands there and the keys follow it. `check` refuses arguments.
    `reply_key` says that the reply begins with a key.
    """

    first: int = 0
    last: int = 0
    step: int = 1
    counted_at: int | None = None
    check: Callable[[list[Argument]], None] | None = None
    reply_key: bool = False

    def positions(self, args: Sequence[Argument]) -> range | list[int]:
        """The indexes of the keys among `args`."""
        size = len(args)
        last = self.last if self.last >= 0 else size + self.last
        fixed = range(self.first, min(last, size - 1) + 1, self.step)
        if self.counted_at is None:
            return fixed
        if size <= self.counted_at:
            return fixed  # too few arguments: the server says so
        try:
            count = int(args[self.counted_at])
        except ValueError:
            raise Refused("the number of keys is not an integer") from None
        start = self.counted_at + 1
        return [*fixed, *range(start, min(start + max(0, count), size))]


def _word(argument: Argument) -> str:
    return (argument.decode("latin-1") if isinstance(argument, bytes) else argument).lower()


def _no_other_database(args: list[Argument]) -> None:
    if any(_word(argument) == "db" for argument in args[2:]):
        raise Refused("COPY into another database is not available")


def _bounded_random(args: list[Argument]) -> None:
    if len(args) > 1:
        try:
            count = int(args[1])
        except ValueError:
            return  # the server says so
        if count < -MAX_RANDOM_COUNT:
            raise Refused(f"a negative count may be {-MAX_RANDOM_COUNT} at most")


_ONE: Final = Rule()
_TWO: Final = Rule(last=1)
_ALL: Final = Rule(last=-1)
_PAIRS: Final = Rule(last=-1, step=2)
_SUBCOMMAND: Final = Rule(first=1, last=1)
_NONE: Final = Rule(first=0, last=-(10**9))
_COUNTED: Final = Rule(first=0, last=-(10**9), counted_at=0)
_COUNTED_AFTER_KEY: Final = Rule(counted_at=1)

# fmt: off
_TABLE: Final[dict[str, Rule]] = {
    **dict.fromkeys(
        # strings and bits
        "append bitcount bitfield bitfield_ro bitpos decr decrby get getbit getdel getex getrange getset incr incrby "
        "incrbyfloat psetex set setbit setex setnx setrange strlen substr "
        # any key
        "expire expireat expiretime persist pexpire pexpireat pexpiretime pttl ttl type "
        # hashes
        "hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetex hincrby hincrbyfloat hkeys hlen hmget hmset "
        "hpersist hpexpire hpexpireat hpexpiretime hpttl hscan hset hsetex hsetnx hstrlen httl hvals "
        # lists
        "lindex linsert llen lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpush rpushx "
        # sets
        "sadd scard sismember smembers smismember spop srem sscan "
        # sorted sets
        "zadd zcard zcount zincrby zlexcount zmscore zpopmax zpopmin zrange zrangebylex zrangebyscore zrank zrem "
        "zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan "
        "zscore "
        # places, cardinality, streams
        "geoadd geodist geohash geopos geosearch pfadd xack xadd xautoclaim xclaim xdel xlen xpending xrange xrevrange "
        "xtrim".split(), _ONE),
    **dict.fromkeys("lmove rename renamenx rpoplpush smove zrangestore geosearchstore".split(), _TWO),
    **dict.fromkeys(
        "del exists mget pfcount pfmerge sdiff sdiffstore sinter sinterstore sunion sunionstore touch unlink".split(),
        _ALL),
    **dict.fromkeys("mset msetnx".split(), _PAIRS),
    **dict.fromkeys("object xgroup xinfo".split(), _SUBCOMMAND),
    **dict.fromkeys("sintercard zdiff zinter zintercard zunion".split(), _COUNTED),
    **dict.fromkeys("zdiffstore zinterstore zunionstore".split(), _COUNTED_AFTER_KEY),
    **dict.fromkeys("lmpop zmpop".split(), Rule(first=0, last=-(10**9), counted_at=0, reply_key=True)),
    **dict.fromkeys("hrandfield srandmember zrandmember".split(), Rule(check=_bounded_random)),
    **dict.fromkeys("echo ping time".split(), _NONE),
    "bitop": Rule(first=1, last=-1),
    "copy": Rule(last=1, check=_no_other_database),
    "lcs": _TWO,
    "publish": _ONE,  # a channel is confined like a key
}

_LATER: Final = {
    **dict.fromkeys("blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin wait waitaof".split(),
                    "it blocks; blocking commands are not available yet"),
    **dict.fromkeys("eval eval_ro evalsha evalsha_ro fcall fcall_ro function script".split(),
                    "scripts and functions are not available yet"),
    **dict.fromkeys("multi exec discard watch unwatch".split(), "transactions are not available yet"),
    **dict.fromkeys("subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe spublish pubsub".split(),
                    "subscribing is not available yet"),
    **dict.fromkeys("xread xreadgroup".split(), "reading several streams is not available yet; use xrange"),
    **dict.fromkeys("sort sort_ro georadius georadiusbymember georadius_ro georadiusbymember_ro".split(),
                    "it reads keys named by patterns or options"),
    **dict.fromkeys("keys randomkey dbsize".split(), "it looks at every project's keys; use scan"),
}
# fmt: on


def positions_of(name: str) -> Rule | None:
    """The rule of a listed command, None for any other."""
    return _TABLE.get(name)


def names() -> frozenset[str]:
    """Every command that is allowed, `scan` among them."""
    return frozenset(_TABLE) | {"scan"}


def confine(name: str, args: list[Argument], prefix: str) -> tuple[list[Argument], Rule]:
    """The arguments with every key inside the project's prefix. `name` is lower case. Raises `Refused`."""
    rule = _TABLE.get(name)
    if rule is None:
        if name == "scan":
            return _confine_scan(args, prefix), _NONE
        reason = _LATER.get(name) or "it is no data command, or none that is available here"
        raise Refused(f"the command {name[:40]} is refused: {reason}")
    if rule.check is not None:
        rule.check(args)
    confined = list(args)
    for index in rule.positions(args):
        key = args[index]
        confined[index] = prefix + key if isinstance(key, str) else prefix.encode() + key
    return confined, rule


def _confine_scan(args: list[Argument], prefix: str) -> list[Argument]:
    """`SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`, always with a pattern that only the prefix matches."""
    if not args or len(args) % 2 == 0:
        raise Refused("scan takes a cursor, then MATCH, COUNT and TYPE with a value each")
    pattern: Argument = "*"
    confined: list[Argument] = [args[0]]
    for option, value in zip(args[1::2], args[2::2], strict=True):
        match _word(option):
            case "match":
                pattern = value
            case "count":
                try:
                    count = int(value)
                except ValueError:
                    raise Refused("scan: COUNT is not an integer") from None
                confined += ["COUNT", str(max(1, min(count, MAX_SCAN_COUNT)))]
            case "type":
                confined += ["TYPE", value]
            case other:
                raise Refused(f"scan has no option {other[:40]}")
    # A prefix has no character that is special in a pattern: project names are [a-z0-9_-].
    return [*confined, "MATCH", prefix + pattern if isinstance(pattern, str) else prefix.encode() + pattern]
