/** Every command with a method of its own; `commands.py` has the same list, and a test compares them. */

export const COMMANDS: readonly string[] = (
  "append bitcount bitfield bitfield_ro bitop bitpos blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin " +
  "copy dbsize decr decrby del delifeq echo eval eval_ro evalsha evalsha_ro exists expire expireat expiretime " +
  "geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch " +
  "geosearchstore get getbit getdel getex getrange getset hdel hexists hexpire hexpireat hexpiretime hget hgetall " +
  "hgetdel hgetex hincrby hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl " +
  "hrandfield hscan hset hsetex hsetnx hstrlen httl hvals incr incrby incrbyfloat keys lcs lindex linsert llen " +
  "lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim memory mget mset msetex msetnx object persist pexpire " +
  "pexpireat pexpiretime pfadd pfcount pfmerge ping psetex pttl publish rename renamenx rpop rpoplpush rpush rpushx " +
  "sadd scan scard script sdiff sdiffstore set setbit setex setnx setrange sinter sintercard sinterstore sismember " +
  "smembers smismember smove sort sort_ro spop srandmember srem sscan strlen substr sunion sunionstore time touch " +
  "ttl type unlink xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange " +
  "xsetid xtrim zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop zmscore " +
  "zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex " +
  "zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion " +
  "zunionstore"
).split(" ");

/** Gives a class a method per command, and its twin that answers bytes. */
export function addCommands(prototype: object, method: (command: string, raw: boolean) => unknown): void {
  for (const command of COMMANDS) {
    for (const [name, raw] of [[command, false], [`${command}Buffer`, true]] as const) {
      Object.defineProperty(prototype, name, { value: method(command, raw), writable: true, configurable: true });
    }
  }
}
