#!/usr/bin/env python3
"""The append-only file: kill -9 in a loop, torn tails, rewriting, a full disk, failed syncs.

usage: test_log.py MINI_REDIS [--rounds N]
"""
import argparse
import errno
import os
import pathlib
import random
import resource
import signal
import sys
import tempfile
import threading
import time

from resp import Error, LIMIT, Server, check, encode

LOG = ("--appendonly", "yes")
ALWAYS = (*LOG, "--appendfsync", "always")


class Writer(threading.Thread):
    """Counts in a key of its own until the server is gone: acknowledged is what must be there."""

    def __init__(self, server, number):
        super().__init__()
        self.client, self.key = server.client(), f"counter{number}"
        self.start_value = self.acknowledged = int(self.client.call("GET", self.key) or 0)

    def run(self):
        try:
            while True:
                reply = self.client.call("INCR", self.key)
                check(not isinstance(reply, Error), reply)
                self.acknowledged = reply
        except (OSError, EOFError):
            self.client.close()


def wait_for(condition, *what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        check(time.monotonic() < deadline, "in time:", *what)
        time.sleep(0.005)


def kill_in_a_loop(command, rounds, seed):
    """Nothing that was acknowledged is lost, and nothing is there twice."""
    chance = random.Random(seed)
    with Server(command, *ALWAYS, "--workers", 2) as server:
        for _ in range(rounds):
            writers = [Writer(server, n) for n in range(3)]
            for writer in writers:
                writer.start()
            goal = chance.randint(5, 60)
            if chance.random() < 0.5:
                server.client().call("BGREWRITEAOF")  # the kill may come at any moment of a rewrite
            wait_for(lambda: writers[0].acknowledged - writers[0].start_value >= goal, "progress")
            server.end(signal.SIGKILL)
            for writer in writers:
                writer.join()
            server.start()
            client = server.client()
            for writer in writers:
                value = int(client.call("GET", writer.key) or 0)
                # The last increment of a writer may be in the log without its reply.
                check(writer.acknowledged <= value <= writer.acknowledged + 1, writer.key,
                      writer.acknowledged, value)


def contents(client):
    result = {}
    for key in sorted(client.call("KEYS", "*")):
        kind = client.call("TYPE", key)
        read = {"string": ("GET", key), "list": ("LRANGE", key, 0, -1), "set": ("SMEMBERS", key),
                "hash": ("HGETALL", key), "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
                "stream": ("XRANGE", key, "-", "+")}[kind]
        value = client.call(*read)
        if kind == "set":
            value = sorted(value)
        if kind == "hash":
            value = sorted(zip(value[::2], value[1::2]))
        result[key] = kind, value, client.call("PEXPIRETIME", key)
    return result


def fill(client):
    client.call("SET", "string", "x" * 100, "EX", 1000)
    client.call("SET", "gone", "x", "PX", 20)
    client.call("INCRBYFLOAT", "float", "1.5")
    for i in range(200):
        client.call("RPUSH", "list", i)
        client.call("SADD", "set", i)
        client.call("HSET", "hash", i, f"value {i}")
        client.call("ZADD", "zset", i / 3, f"member {i}")
        client.call("XADD", "stream", "*", "field", i)
    client.call("SPOP", "set", 10)
    client.call("BLPOP", "list", 1)
    client.call("LMOVE", "list", "other", "LEFT", "RIGHT")
    client.call("XADD", "empty", "MAXLEN", 0, "5-5", "a", "b")
    client.call("MULTI")
    client.call("SET", "in", "transaction")
    client.call("PEXPIRE", "in", 500000)
    client.call("EXEC")
    client.call("GETEX", "string", "PERSIST")
    client.call("RENAME", "float", "renamed")
    wait_for(lambda: client.call("EXISTS", "gone") == 0, "expiry")


def replay(command):
    """A restart has the same data; after a rewrite too, with changes made meanwhile."""
    with Server(command, *ALWAYS) as server:
        client = server.client()
        fill(client)
        before = contents(client)
        check(server.end() == 0, "exit status", server.output())
        server.start()
        client = server.client()
        check(contents(client) == before, "replay")
        check("loading the log" in server.output(), "progress is shown")
        check(client.call("BGREWRITEAOF").startswith("Background"), "BGREWRITEAOF")
        changes = 0
        while b"aof_rewrites:1" not in client.call("INFO", "persistence"):
            client.call("INCR", "changes")
            changes += 1
        client.call("INCR", "changes")
        before = contents(client)
        check(before[b"changes"][1] == b"%d" % (changes + 1), "changes")
        server.end(signal.SIGKILL)
        server.start()
        client = server.client()
        check(contents(client) == before, "replay of a rewritten log")
        check(client.call("XADD", "empty", "5-5", "a", "b").startswith("ERR"), "last id")


def torn_tail(command):
    """A log that was cut anywhere is loaded up to its last whole command or transaction."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "appendonly.aof")
        first = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
        multi = b"*1\r\n$5\r\nMULTI\r\n" + first.replace(b"\na", b"\nb") + b"*1\r\n$4\r\nEXEC\r\n"
        whole = first + multi
        for cut in (len(first) + 1, len(first) + 20, len(whole) - 1, len(whole) - 15, len(whole)):
            path.write_bytes(whole[:cut])
            with Server(command, *LOG, directory=directory) as server:
                client = server.client()
                keys = [b"a", b"b"] if cut == len(whole) else [b"a"]
                check(sorted(client.call("KEYS", "*")) == keys, "keys after a cut at", cut)
                client.call("SET", "c", "1")
                check(server.end() == 0, "exit status")
            check(path.read_bytes().count(b"\r\nc\r\n") == 1, "further writes follow the whole part")


def full_disk(command):
    """Writes are refused with an error, reads are served, and all recovers. The log is cut off at a
    size by a limit of the process, which is lifted later."""
    with Server(command, *ALWAYS) as server:
        client, pid = server.client(), server.process.pid
        check(client.call("SET", "a", "1") == "OK", "before")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
        reply = client.call("SET", "big", "x" * 1000)
        check(isinstance(reply, Error) and reply.startswith("MISCONF"), "full disk", reply)
        client = server.client()
        reply = client.call("SET", "b", "1")
        check(isinstance(reply, Error) and reply.startswith("MISCONF"), "still full", reply)
        check(client.call("GET", "a") == b"1", "reads are served")
        resource.prlimit(pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for(lambda: client.call("SET", "b", "2") == "OK", "recovery")
        server.end(signal.SIGKILL)
        server.start()
        check(server.client().call("GET", "b") == b"2", "after recovery")


def every_second(command):
    """What was acknowledged is in the log soon after, and survives a kill -9 from then on. Nothing is
    acknowledged later than that."""
    with Server(command, *LOG, "--appendfsync", "everysec") as server:
        log = pathlib.Path(server.directory, "appendonly.aof")
        for number in range(3):
            client = server.client()
            check(client.call("SET", f"key{number}", f"value{number}") == "OK", "SET")
            wait_for(lambda: b"value%d" % number in log.read_bytes(), "in the log")
            server.end(signal.SIGKILL)
            server.start()
            for n in range(number + 1):
                check(server.client().call("GET", f"key{n}") == b"value%d" % n, "after a kill", n)


def policy_change(command):
    """A client waits for a sync of changes that were written when no policy asked for one."""
    with Server(command, *LOG, "--appendfsync", "no", "--workers", 2) as server:
        client, keys = server.client(), 50000
        client.socket.sendall(b"".join(encode(("SET", f"key{i}", "x")) for i in range(keys)))
        for _ in range(keys):
            check(client.read() == "OK", "SET")
        # The walks give the writer the time to write before the policy changes.
        client.socket.sendall(encode(("SET", "a", "1")) + encode(("KEYS", "none*")) * 20
                              + encode(("CONFIG", "SET", "appendfsync", "always")))
        check(client.read() == "OK", "SET")
        for _ in range(20):
            check(client.read() == [], "KEYS")
        check(client.read() == "OK", "CONFIG")


def failed_rewrite(command):
    """A rewrite that finds no room leaves the log as it is, and no file behind."""
    with Server(command, *ALWAYS) as server:
        client, new = server.client(), pathlib.Path(server.directory, "appendonly.aof.new")
        client.call("SETRANGE", "large", 100000, "x")  # short in the log, long when it is rewritten
        everything = resource.RLIM_INFINITY, resource.RLIM_INFINITY
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (50000, everything[1]))
        client.call("BGREWRITEAOF")
        wait_for(lambda: b"aof_last_bgrewrite_status:err" in client.call("INFO", "persistence"),
                 "the rewrite fails")
        wait_for(lambda: not new.exists(), "the new file is removed")
        check(client.call("SET", "after", "1") == "OK", "the log goes on")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, everything)
        client.call("BGREWRITEAOF")
        wait_for(lambda: b"aof_rewrites:1" in client.call("INFO", "persistence"), "a rewrite")
        server.end(signal.SIGKILL)
        server.start()
        client = server.client()
        check(client.call("STRLEN", "large") == 100001 and client.call("GET", "after") == b"1", "kept")


class Disk:
    """The disk of a server as fail_sync.c shows it: syncs fail or are held."""

    def __init__(self, directory):
        self.broken = pathlib.Path(directory, "broken")
        self.environment = {"LD_PRELOAD": os.environ["FAIL_SYNC_LIBRARY"],
                            "FAIL_SYNC": str(self.broken), "EDO_DRIVER": "epoll",
                            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}

    def pipe(self, kind):
        return pathlib.Path(f"{self.broken}.{kind}")

    def hold(self, kind):
        os.mkfifo(self.pipe(kind))

    def wait_held(self, kind):
        """Waits until a sync is held. Returns: a descriptor, whose closing continues the sync."""
        held = []

        def is_held():
            try:
                held.append(os.open(self.pipe(kind), os.O_WRONLY | os.O_NONBLOCK))
            except OSError as error:
                check(error.errno == errno.ENXIO, error)
            return bool(held)
        wait_for(is_held, "a sync of", kind)
        return held[0]

    def release(self, kind, held, holds_next=False):
        self.pipe(kind).unlink()
        if holds_next:
            self.hold(kind)  # another pipe: a writer cannot meet the released sync
        os.close(held)


def is_refused(server):
    reply = server.client().call("SET", "b", "1")
    return isinstance(reply, Error) and reply.startswith("MISCONF")


def failed_sync(command, policy):
    """When a sync fails, commands that write are refused until a rewrite has made a new file."""
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(directory)
        with Server(command, *LOG, "--appendfsync", policy, environment=disk.environment) as server:
            client = server.client()
            check(client.call("SET", "a", "1") == "OK", "before")
            disk.broken.touch()
            wait_for(lambda: is_refused(server), "refused")
            check(client.call("GET", "a") == b"1", "reads are served")
            disk.broken.unlink()
            wait_for(lambda: server.client().call("SET", "b", "2") == "OK", "recovery")
            check(b"aof_rewrites:0" not in server.client().call("INFO", "persistence"), "a new file")
            server.end(signal.SIGKILL if policy == "always" else signal.SIGTERM)
            server.start()
            check(server.client().call("MGET", "a", "b") == [b"1", b"2"], "after recovery")


def late_directory(command):
    """A failure of the log is over when the rename of its new file is on the disk, not before."""
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(directory)
        with Server(command, *ALWAYS, environment=disk.environment) as server:
            disk.hold("directory")
            disk.broken.touch()
            check(is_refused(server), "refused")
            held = disk.wait_held("directory")
            disk.broken.unlink()
            info = server.client().call("INFO", "persistence")
            check(b"aof_last_write_status:err" in info and b"aof_rewrites:0" in info, info)
            check(is_refused(server), "refused until the rename is on the disk")
            disk.release("directory", held)
            wait_for(lambda: server.client().call("SET", "b", "2") == "OK", "recovery")


def growth(command):
    """A log that has grown is rewritten, even if the writer always has more to write."""
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(directory)
        with Server(command, *ALWAYS, "--auto-aof-rewrite-min-size", 1000,
                    environment=disk.environment) as server:
            first, second, reader = server.client(), server.client(), server.client()
            disk.hold("data")
            first.send("SET", "large", "x" * 1000)
            held = disk.wait_held("data")
            second.send("SET", "a", "1")
            wait_for(lambda: reader.call("GET", "a") == b"1", "the next batch")
            disk.release("data", held, holds_next=True)
            held = disk.wait_held("data")
            wait_for(lambda: b"rewrite_in_progress:1" in reader.call("INFO", "persistence"),
                     "a rewrite begins before the second batch ends")
            disk.release("data", held)
            check(first.read() == "OK" and second.read() == "OK", "replies")
            wait_for(lambda: b"aof_rewrites:1" in reader.call("INFO", "persistence"), "a rewrite")


def end_in_a_failure(command, rewrites):
    """The server's end during a failure of the log makes a last rewrite, and fails without it."""
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(directory)
        with Server(command, *ALWAYS, environment=disk.environment) as server:
            log = pathlib.Path(server.directory, "appendonly.aof")
            server.client().call("SETRANGE", "large", 100000, "x")  # short in the log
            before, everything = log.stat().st_ino, resource.RLIM_INFINITY
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (50000, everything))
            disk.broken.touch()
            check(is_refused(server), "refused")
            wait_for(lambda: b"bgrewrite_status:err" in server.client().call("INFO", "persistence"),
                     "the rewrite fails")
            disk.broken.unlink()
            if rewrites:
                resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (everything, everything))
            status = server.end()
            check(status == (0 if rewrites else 1), "exit status", status, server.output())
            check((log.stat().st_ino != before) == rewrites, "a new file")
            check(("the log is not complete" in server.output()) != rewrites, server.output())
            server.start()
            check(server.client().call("STRLEN", "large") == 100001, "kept")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mini")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    command = [options.mini]
    kill_in_a_loop(command, options.rounds, options.seed)
    replay(command)
    torn_tail(command)
    full_disk(command)
    every_second(command)
    policy_change(command)
    failed_rewrite(command)
    if "FAIL_SYNC_LIBRARY" not in os.environ:
        print("SKIPPED: failed syncs (ctest names the library)", file=sys.stderr)
        return
    for policy in ("always", "everysec"):
        failed_sync(command, policy)
    late_directory(command)
    growth(command)
    for rewrites in (True, False):
        end_in_a_failure(command, rewrites)


if __name__ == "__main__":
    sys.exit(main())
