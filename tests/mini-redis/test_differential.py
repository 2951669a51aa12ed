#!/usr/bin/env python3
"""Sends the same random commands to redis-server and to mini-redis, and compares the replies.

usage: test_differential.py MINI_REDIS [--seed N] [--commands N] [--resp3]

Replies whose order Redis leaves open (SMEMBERS, HGETALL, KEYS, ...) are compared as sets. Fixed
conversations, which also have inline commands and broken ones, are compared byte by byte. Without
redis-server the test is skipped, with status 77.
"""
import argparse
import itertools
import random
import shutil
import socket
import sys

from resp import Client, Error, Server

KEYS = [f"k{i}" for i in range(6)]
VALUES = ["", "a", "hello", "10", "-3", "1.5", "x" * 40, "9223372036854775807", "abc def", "007"]
NUMBERS = ["0", "1", "-1", "2", "5", "-100", "100", "abc", "9223372036854775807", "1.5", ""]
SCORES = ["1", "2", "2.5", "-1", "inf", "-inf", "abc", "1e3", "0.1", "nan", "3"]
UNORDERED = {"SMEMBERS", "HKEYS", "HVALS", "KEYS"}
PAIRS = {"HGETALL"}
TIMES = {"PTTL", "PEXPIRETIME"}
SECONDS = {"TTL", "EXPIRETIME"}
SLACK = 60  # s, more than between the same command to the two servers on a busy machine

# Sent as they are; each one ends with the connection.
CONVERSATIONS = [
    "PING\nping hello\nECHO 'a b'\nSET x \"\\x41\\n\"\nGET x\n\nnosuch a 'b c'\nECHO\nQUIT\nPING\n",
    "SUBSCRIBE a b\nPSUBSCRIBE c*\nSUBSCRIBE a\nPING\nPING x\nGET x\nECHO x\nUNSUBSCRIBE a\n"
    "UNSUBSCRIBE nothing\nUNSUBSCRIBE\nPUNSUBSCRIBE\nPUNSUBSCRIBE\nUNSUBSCRIBE\nGET x\nQUIT\n",
    "SUBSCRIBE a\nRESET\nGET x\nSUBSCRIBE a\nQUIT\n",
    "PUBSUB NUMSUB a b\nPUBSUB NUMPAT\nPUBSUB CHANNELS\nPUBSUB NOSUCH\nPUBLISH a\nQUIT\n",
    "MULTI\nSET\nPING\nEXEC\nMULTI\nMULTI\nDISCARD\nDISCARD\nEXEC\nWATCH x\nMULTI\nWATCH y\nSET x 1\n"
    "EXEC\nUNWATCH\nMULTI\nEXEC\nMULTI\nNOSUCH\nEXEC\nMULTI\nINCR l\nLPUSH l a\nINCR l\nEXEC\nQUIT\n",
    "WATCH x x y\nSET x 2\nMULTI\nGET x\nEXEC\nMULTI\nGET x\nEXEC\nWATCH\nQUIT\n",
    "MULTI\nPING\nRESET\nEXEC\nMULTI\nQUIT\n",
    "MULTI\nBLPOP none 0\nXREAD BLOCK 0 STREAMS none 0\nBLMOVE none x LEFT LEFT 0\nEXEC\nQUIT\n",
    "CLIENT SETNAME me\nCLIENT GETNAME\nCLIENT SETNAME 'a b'\nCLIENT SETNAME ''\nCLIENT GETNAME\n"
    "CLIENT KILL 1.2.3.4:5\nCLIENT KILL ID 99999999\nCLIENT KILL ID x\nCLIENT KILL TYPE x\nCLIENT KILL\n"
    "CLIENT NOSUCH\nCLIENT\nCLIENT GETNAME x\nCLIENT SETNAME\nQUIT\n",
    "HELLO x\nHELLO 9\nHELLO 1\nHELLO 2 NOSUCH\nHELLO 2 SETNAME 'a b'\nHELLO 3 SETNAME\nQUIT\n",
    "CONFIG GET save\nCONFIG GET nosuch\nCONFIG GET appendonly\nCONFIG NOSUCH\nCONFIG\n"
    "CONFIG GET\nCONFIG SET timeout\nCONFIG SET nosuch 1\nCONFIG SET timeout x\nCONFIG SET appendfsync x\n"
    "CONFIG RESETSTAT\nQUIT\n",
    "SELECT 0\nSELECT 99\nSELECT -1\nSELECT x\nSELECT\nSHUTDOWN nosuch\nFLUSHALL nosuch\nDBSIZE x\nQUIT\n",
    "COMMAND DOCS nosuch\nCOMMAND INFO nosuch\nCOMMAND NOSUCH\nQUIT\n",
    "SCAN x\nSCAN 0 COUNT 0\nSCAN 0 COUNT x\nSCAN 0 MATCH\nSCAN 0 NOSUCH 1\nSCAN\nQUIT\n",
    "SET x y EX 0\nSET x y EX 99999999999999999999\nSET x y PX 9223372036854775807\nSET x y EX 1 PX 1\n"
    "SET x y NX XX\nSET x y KEEPTTL EX 1\nSET x y EX\nGETEX x EX 1 PERSIST\nGETEX x NOSUCH\nQUIT\n",
    "BLPOP x\nBLPOP x -1\nBLPOP x y\nBLMOVE a b UP LEFT 0\nBLMOVE a b LEFT LEFT -1\n"
    "XREAD COUNT x STREAMS a 0\nXREAD STREAMS a\nXREAD BLOCK -1 STREAMS a 0\nXREAD STREAMS a b 0\nQUIT\n",
    "DEL l\nRPUSH l a b\nLPOP l -1\nLPOP l 99999999999999999999\nLRANGE l -9223372036854775808 "
    "9223372036854775807\nLTRIM l 5 9223372036854775807\nSPOP s -1\nLINDEX l x\nQUIT\n",
    "*1\r\n$-1\r\n", "*1\r\n$abc\r\n", "*1\r\nx\r\n", "*99999999999\r\n", "*x\r\n", "GET 'x\n",
    "*1\r\n$536870913\r\n", "*-5\r\n*0\r\nQUIT\n", "*01\r\n$04\r\nPING\r\nQUIT\n",
    "*2\r\n$04\r\nPING\r\n$01\r\nx\r\n", "*+1\r\n$4\r\nPING\r\n", "*1\r\n$ 4\r\nPING\r\n",
]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, values):
        return self.random.choice(values)

    def key(self):
        return self.pick(KEYS)

    def value(self):
        return self.pick(VALUES)

    def number(self):
        return self.pick(NUMBERS) if self.random.random() < 0.3 else str(self.random.randint(-3, 6))

    def score(self):
        return self.pick(SCORES)

    def member(self):
        return self.pick("abcdefg")

    def some(self, make, most=3):
        return [make() for _ in range(self.random.randint(1, most))]

    def maybe(self, *words):
        return list(words) if self.random.random() < 0.3 else []

    def bound(self):
        return self.pick(["-inf", "+inf", "1", "(1", "2", "(2.5", "x", "-1", "3"])

    def stream_id(self):
        return self.pick(["*", "0-1", "1-1", "1-*", "2-3", "5", "5-*", "0-0", "abc", "7-7", "9-1"])

    def read_id(self):
        return self.pick(["0", "0-0", "1-1", "$", "5-0", "xyz", "2", "18446744073709551615-1"])

    def range_id(self):
        return self.pick(["-", "+", "0", "1", "(1-1", "2-3", "5", "bad", "("])

    def far(self):
        """A time that differs by at least a second from others, whatever the unit."""
        return str(self.random.randint(3000, 9000) * 1000)

    def command(self):
        g = self
        k, v, n, s, m = g.key, g.value, g.number, g.score, g.member
        makers = [
            lambda: ["PING", *g.maybe("x")],
            lambda: ["ECHO", v()],
            lambda: ["GET", k()],
            lambda: ["SET", k(), v(), *g.maybe(g.pick(["NX", "XX"])), *g.maybe("GET"),
                     *g.maybe("KEEPTTL"), *g.maybe("EX", g.pick(["5000", "0", "-1", "x"])),
                     *g.maybe("PX", "60000000")],
            lambda: ["SETNX", k(), v()],
            lambda: ["SETEX", k(), g.pick(["7000", "0", "x"]), v()],
            lambda: ["GETSET", k(), v()],
            lambda: ["GETEX", k(), *g.maybe(g.pick(["PERSIST", "EX", "BAD"])), *g.maybe("8000")],
            lambda: ["GETDEL", k()],
            lambda: ["SETRANGE", k(), n(), v()],
            lambda: ["GETRANGE", k(), n(), n()],
            lambda: ["DEL", *g.some(k)],
            lambda: ["UNLINK", *g.some(k)],
            lambda: ["EXISTS", *g.some(k)],
            lambda: [g.pick(["EXPIRE", "PEXPIRE"]), k(), g.pick(["0", "-1", "x", g.far(), g.far()]),
                     *g.maybe(g.pick(["NX", "XX", "GT", "LT", "ZZ"])), *g.maybe("GT")],
            lambda: ["EXPIREAT", k(), g.pick(["99999999999", "1", "99999999999999999"])],
            lambda: ["EXPIRETIME", k()],
            lambda: ["TTL", k()],
            lambda: ["PTTL", k()],
            lambda: ["PEXPIREAT", k(), g.pick(["99999999999000", "1", "x", "9223372036854775807"])],
            lambda: ["PEXPIRETIME", k()],
            lambda: ["PSETEX", k(), g.pick(["7000000", "0", "x"]), v()],
            lambda: ["PERSIST", k()],
            lambda: ["TOUCH", *g.some(k)],
            lambda: ["RENAME", k(), k()],
            lambda: ["RENAMENX", k(), k()],
            lambda: ["INCR", k()],
            lambda: ["DECR", k()],
            lambda: ["INCRBY", k(), n()],
            lambda: ["DECRBY", k(), g.pick(["1", "-9223372036854775808", "x"])],
            lambda: ["INCRBYFLOAT", k(), g.pick(["1.5", "-0.1", "1e5", "abc", "inf", "3"])],
            lambda: ["APPEND", k(), v()],
            lambda: ["STRLEN", k()],
            lambda: ["MGET", *g.some(k)],
            lambda: ["MSET", *sum(([k(), v()] for _ in range(2)), []), *g.maybe("odd")],
            lambda: ["MSETNX", k(), v(), k(), v()],
            lambda: [g.pick(["LPUSH", "RPUSH", "LPUSHX", "RPUSHX"]), k(), *g.some(v)],
            lambda: [g.pick(["LPOP", "RPOP"]), k(), *g.maybe(n()), *g.maybe("1")],
            lambda: ["LRANGE", k(), n(), n()],
            lambda: ["LLEN", k()],
            lambda: ["LINDEX", k(), n()],
            lambda: ["LTRIM", k(), n(), n()],
            lambda: ["LSET", k(), n(), v()],
            lambda: ["LREM", k(), n(), v()],
            lambda: ["LINSERT", k(), g.pick(["BEFORE", "AFTER", "NEAR"]), v(), v()],
            lambda: ["LMOVE", k(), k(), g.pick(["LEFT", "RIGHT"]), g.pick(["LEFT", "RIGHT", "UP"])],
            lambda: ["RPOPLPUSH", k(), k()],
            lambda: ["SADD", k(), *g.some(m)],
            lambda: ["SREM", k(), *g.some(m)],
            lambda: ["SMEMBERS", k()],
            lambda: ["SISMEMBER", k(), m()],
            lambda: ["SMISMEMBER", k(), *g.some(m)],
            lambda: ["SCARD", k()],
            lambda: ["SPOP", k(), g.pick(["100", "0", "-1", "x"])],
            lambda: [g.pick(["HSET", "HMSET"]), k(), m(), v(), *g.maybe(m(), v()), *g.maybe("odd")],
            lambda: ["HSETNX", k(), m(), v()],
            lambda: ["HGET", k(), m()],
            lambda: ["HMGET", k(), *g.some(m)],
            lambda: ["HDEL", k(), *g.some(m)],
            lambda: ["HGETALL", k()],
            lambda: ["HKEYS", k()],
            lambda: ["HVALS", k()],
            lambda: ["HLEN", k()],
            lambda: ["HEXISTS", k(), m()],
            lambda: ["HSTRLEN", k(), m()],
            lambda: ["HINCRBY", k(), m(), n()],
            lambda: ["ZADD", k(), *g.maybe(g.pick(["NX", "XX"])), *g.maybe(g.pick(["GT", "LT"])),
                     *g.maybe("CH"), *g.maybe("INCR"), s(), m(), *g.maybe(s(), m()), *g.maybe("1")],
            lambda: ["ZINCRBY", k(), s(), m()],
            lambda: ["ZSCORE", k(), m()],
            lambda: [g.pick(["ZRANK", "ZREVRANK"]), k(), m()],
            lambda: ["ZRANGE", k(), n(), n(), *g.maybe("REV"), *g.maybe("WITHSCORES")],
            lambda: ["ZRANGE", k(), g.bound(), g.bound(), "BYSCORE", *g.maybe("REV"),
                     *g.maybe("LIMIT", n(), n()), *g.maybe("WITHSCORES")],
            lambda: ["ZREVRANGE", k(), n(), n(), *g.maybe("WITHSCORES")],
            lambda: [g.pick(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), k(), g.bound(), g.bound(),
                     *g.maybe("WITHSCORES"), *g.maybe("LIMIT", n(), n())],
            lambda: ["ZCOUNT", k(), g.bound(), g.bound()],
            lambda: ["ZREM", k(), *g.some(m)],
            lambda: ["ZCARD", k()],
            lambda: ["XADD", k(), *g.maybe("NOMKSTREAM"),
                     *g.maybe("MAXLEN", *g.maybe("="), g.pick(["0", "2", "-1", "x"])),
                     g.pick(["1-1", "2-*", "3", "5-*", "0-0", "abc", "7-7", "0-1"]), m(), v(),
                     *g.maybe("odd")],
            lambda: ["XLEN", k()],
            lambda: ["XRANGE", k(), g.range_id(), g.range_id(), *g.maybe("COUNT", n())],
            lambda: ["XREVRANGE", k(), g.range_id(), g.range_id(), *g.maybe("COUNT", n())],
            lambda: ["XREAD", *g.maybe("COUNT", n()), "STREAMS", k(), *g.maybe(k()), g.read_id(),
                     *g.maybe(g.read_id())],
            lambda: [g.pick(["BLPOP", "BRPOP"]), k(), k(), g.pick(["0.01", "-1", "x", "0.01"])],
            lambda: ["BLMOVE", k(), k(), g.pick(["LEFT", "RIGHT"]), g.pick(["LEFT", "RIGHT"]),
                     "0.01"],
            lambda: ["BRPOPLPUSH", k(), k(), "0.01"],
            lambda: ["XREAD", "BLOCK", g.pick(["10", "-1", "x"]), "STREAMS", k(), g.read_id()],
            lambda: ["TYPE", k()],
            lambda: ["DBSIZE"],
            lambda: ["KEYS", g.pick(["*", "k[1-3]", "k?", "nothing", "k[^1]", "[", "k\\1"])],
            lambda: ["SCAN", "0", "COUNT", "1000", *g.maybe("MATCH", g.pick(["k[1-3]", "x*", "k?"])),
                     *g.maybe("TYPE", g.pick(["string", "hash", "zset", "none"]))],
            lambda: ["CLIENT", "SETNAME", g.pick(["me", "", "a b"])],
            lambda: ["CLIENT", "GETNAME"],
            lambda: ["CONFIG", "GET", g.pick(["save", "appendonly", "nosuch"])],
            lambda: ["SELECT", g.pick(["0", "x"])],
            lambda: ["PUBLISH", "nobody", v()],
            lambda: ["MULTI"], lambda: ["EXEC"], lambda: ["EXEC"], lambda: ["DISCARD"],
            lambda: ["WATCH", *g.some(k)], lambda: ["UNWATCH"],
            lambda: ["NOSUCH", v(), v()],
            lambda: [g.pick(["GET", "SET", "HGET", "ZADD", "LRANGE", "XADD"]), k()],
        ]
        if self.random.random() < 0.002:
            return ["FLUSHALL"]
        return self.pick(makers)()


class Seconds(int):
    """A number of seconds that depends on the moment of the command: equal to one within the slack."""

    def __eq__(self, other):
        return isinstance(other, Seconds) and abs(int(self) - int(other)) <= SLACK

    def __ne__(self, other):
        return not self == other

    __hash__ = int.__hash__


def canonical(value):
    """A form that does not depend on the order of pairs."""
    if isinstance(value, dict):
        return sorted(value.items(), key=repr)
    return value


def normalize(name, reply, queue):
    if isinstance(reply, list) and name == "EXEC":
        return [normalize(n, r, []) for n, r in zip(queue, reply)]
    if name in UNORDERED and isinstance(reply, list):
        return sorted(reply)
    if name in TIMES and isinstance(reply, int):
        return min(reply, 1)
    if name in SECONDS and isinstance(reply, int) and reply > 0:
        return Seconds(reply)
    if name == "SCAN" and isinstance(reply, list):
        return reply[0], sorted(reply[1])
    if name == "SPOP" and isinstance(reply, list):
        return sorted(reply)
    if name in PAIRS and isinstance(reply, list):
        return sorted(zip(reply[::2], reply[1::2]))
    return canonical(reply)


def run(real, mini, seed, count):
    generator, queue, history = Generator(seed), [], []
    for _ in range(count):
        command = generator.command()
        history.append(command)
        name = command[0]
        replies = [client.call(*command) for client in (real, mini)]
        expected, got = (normalize(name, reply, queue) for reply in replies)
        if expected != got or isinstance(replies[0], Error) != isinstance(replies[1], Error):
            print(f"seed {seed}: {command}\n  redis-server: {expected!r}\n  mini-redis:   {got!r}\n"
                  f"  before: {history[-6:-1]}", file=sys.stderr)
            return False
        queue = queue + [name] if replies[0] == "QUEUED" else queue
        if name in ("EXEC", "DISCARD"):
            queue = []
    return True


def converse(port, text):
    client = Client(port)
    client.socket.sendall(text.replace("\n", "\r\n").encode() if "\r" not in text else text.encode())
    client.socket.shutdown(socket.SHUT_WR)
    answer = client.file.read()
    client.close()
    return answer


def compare_conversations(real, mini):
    good = True
    for text in CONVERSATIONS:
        answers = [converse(server.port, text) for server in (real, mini)]
        if answers[0] == answers[1]:
            continue
        good = False
        print(f"{text!r}", file=sys.stderr)
        for expected, got in itertools.zip_longest(*(a.split(b"\r\n") for a in answers)):
            mark = " " if expected == got else "!"
            print(f"  {mark} {expected!r}  mini-redis: {got!r}", file=sys.stderr)
    return good


def compare(mini_command, seed, count, resp3, keeps_going):
    good = True
    with Server(["redis-server"], "--save", "", "--daemonize", "no") as real, \
            Server([mini_command]) as mini:
        good &= compare_conversations(real, mini)
        for n in range(seed, seed + 4):
            clients = Client(real.port), Client(mini.port)
            for client in clients:
                client.call("FLUSHALL")
                if resp3:
                    client.call("HELLO", "3")
            good &= run(*clients, n, count)
            for client in clients:
                client.close()
            if not good and not keeps_going:
                break
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mini")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", type=int, default=700)
    parser.add_argument("--all", action="store_true", help="continue after a difference")
    options = parser.parse_args()
    if not shutil.which("redis-server"):
        print("SKIPPED: there is no redis-server (script/setup installs it)", file=sys.stderr)
        sys.exit(77)
    good = compare(options.mini, options.seed, options.commands, False, options.all)
    good &= compare(options.mini, options.seed + 100, options.commands, True, options.all)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
