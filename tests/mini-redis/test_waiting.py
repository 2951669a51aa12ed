#!/usr/bin/env python3
"""Clients that wait: blocking commands, subscriptions, MONITOR, transactions, CLIENT KILL, and the
end of the server.

usage: test_waiting.py MINI_REDIS
"""
import signal
import sys
import time

from resp import Error, LIMIT, Server, check, until_blocked


def blocking(server):
    pusher = server.client()
    waiters = [server.client() for _ in range(3)]
    for n, waiter in enumerate(waiters):
        waiter.send("BLPOP", "none", "list", 0)
        until_blocked(pusher, n + 1)
    check(pusher.call("RPUSH", "list", "1", "2", "3", "4") == 4, "RPUSH")
    for n, waiter in enumerate(waiters):
        check(waiter.read() == [b"list", b"%d" % (n + 1)], "in the order of their arrival", n)
    check(pusher.call("LRANGE", "list", 0, -1) == [b"4"], "the rest")


def handed_over_at_once(server):
    """The client that waits has the element before the pusher's next command."""
    pusher, waiter = server.client(), server.client()
    waiter.send("BRPOP", "k", 0)
    until_blocked(pusher, 1)
    pusher.send("LPUSH", "k", "x")
    pusher.send("LPOP", "k")
    check([pusher.read(), pusher.read()] == [1, None], "LPOP finds nothing")
    check(waiter.read() == [b"k", b"x"], "BRPOP")


def chains(server):
    """A move that serves another waiter; a push inside a transaction serves after it."""
    pusher, mover, last = server.client(), server.client(), server.client()
    mover.send("BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
    until_blocked(pusher, 1)
    last.send("BLPOP", "b", 0)
    until_blocked(pusher, 2)
    pusher.call("MULTI")
    pusher.call("RPUSH", "a", "x")
    pusher.call("LLEN", "a")
    check(pusher.call("EXEC") == [1, 1], "EXEC")
    check(mover.read() == b"x", "BLMOVE")
    check(last.read() == [b"b", b"x"], "BLPOP of the moved element")


def transactions(server):
    """Commands that need all keys, inside a transaction that holds some."""
    client = server.client()
    client.call("WATCH", "a")
    for command in (["MULTI"], ["SET", "a", "1"], ["INFO"], ["DBSIZE"], ["CLIENT", "LIST"],
                    ["KEYS", "*"], ["UNWATCH"], ["PUBLISH", "x", "y"]):
        client.call(*command)
    replies = client.call("EXEC")
    check(b"keys=1," in replies[1] and replies[2] == 1 and replies[4] == [b"a"], replies)


def streams(server):
    writer, readers = server.client(), [server.client() for _ in range(2)]
    writer.call("XADD", "s", "1-1", "f", "old")
    for n, reader in enumerate(readers):
        reader.send("XREAD", "BLOCK", (0, 2**63 - 1)[n], "STREAMS", "s", "$")
        until_blocked(writer, n + 1)
    writer.call("XADD", "s", "2-1", "f", "new")
    for reader in readers:
        check(reader.read() == [[b"s", [[b"2-1", [b"f", b"new"]]]]], "XREAD")


def time_out_and_pipeline(server):
    client = server.client()
    start = time.monotonic()
    client.send("BLPOP", "nothing", 0.05)
    client.send("PING")
    check(client.read() is None and time.monotonic() - start >= 0.05, "time-out")
    check(client.read() == "PONG", "the pipeline continues")


def gone(server):
    """A client that is gone does not get the element."""
    pusher, waiter = server.client(), server.client()
    waiter.send("BLPOP", "q", 0)
    until_blocked(pusher, 1)
    waiter.close()
    until_blocked(pusher, 0)
    pusher.call("RPUSH", "q", "x")
    check(pusher.call("LLEN", "q") == 1, "the element is there")


def subscriptions(server):
    one, two, publisher = server.client(), server.client(), server.client()
    two.call("HELLO", 3)
    check(one.call("SUBSCRIBE", "a", "b") == [b"subscribe", b"a", 1], "SUBSCRIBE")
    check(one.read() == [b"subscribe", b"b", 2], "SUBSCRIBE")
    check(two.call("PSUBSCRIBE", "[ab]") == [b"psubscribe", b"[ab]", 1], "PSUBSCRIBE")
    check(publisher.call("PUBLISH", "a", "hello") == 2, "PUBLISH")
    check(one.read() == [b"message", b"a", b"hello"], "message")
    check(two.read() == [b"pmessage", b"[ab]", b"a", b"hello"], "pmessage")
    check(isinstance(one.call("GET", "x"), Error), "RESP2 limits subscribers")
    check(two.call("GET", "x") is None, "RESP3 does not")
    check(one.call("UNSUBSCRIBE", "a") == [b"unsubscribe", b"a", 1], "UNSUBSCRIBE")
    check(publisher.call("PUBSUB", "NUMSUB", "a", "b") == [b"a", 0, b"b", 1], "NUMSUB")


def monitor(server):
    watcher, client = server.client(), server.client()
    check(watcher.call("MONITOR") == "OK", "MONITOR")
    client.call("SET", "key", "a\n\"b\"")
    check(watcher.file.readline().endswith(b'"SET" "key" "a\\n\\"b\\""\r\n'), "shown")


def kill(server):
    client, victim = server.client(), server.client()
    number = victim.call("CLIENT", "ID")
    check(client.call("CLIENT", "KILL", "ID", number) == 1, "CLIENT KILL")
    check(victim.file.read() == b"", "closed")


def shutdown(command, how):
    """All commands that have arrived are answered."""
    with Server(command, "--workers", 2) as server:
        clients = [server.client() for _ in range(20)]
        for client in clients:
            client.call("PING")
        waiter = server.client()
        waiter.send("BLPOP", "nothing", 0)
        waiter.send("PING")  # whose reply must not come in place of that to BLPOP
        until_blocked(clients[0], 1)
        for client in clients:
            client.socket.sendall(b"PING\r\n" * 100)
        how(server)
        for client in clients:
            check(client.file.read() == b"+PONG\r\n" * 100, "answered")
        check(waiter.file.read() == b"", "closed")
        check(server.process.wait(LIMIT) == 0, "exit status")


def main():
    command = [sys.argv[1]]
    with Server(command, "--workers", 2) as server:
        for test in (blocking, handed_over_at_once, chains, transactions, streams, time_out_and_pipeline, gone,
                     subscriptions, monitor, kill):
            server.client().call("FLUSHALL")
            test(server)
    shutdown(command, lambda server: server.process.send_signal(signal.SIGTERM))
    shutdown(command, lambda server: server.client().send("SHUTDOWN"))


if __name__ == "__main__":
    main()
