#!/usr/bin/env python3
"""SIGUSR2: a new process image takes over listeners and clients. No connection is refused or closed,
and no command is lost, while clients send all the time. A client that cannot be handed over is
closed, so it never takes a later reply for the rest of an earlier one.

usage: test_hand_over.py MINI_REDIS
"""
import os
import signal
import sys
import threading
import time

from resp import Error, LIMIT, Server, check, encode, until_blocked

HAND_OVERS = 3
LARGE = 12 * 1024 * 1024  # bytes, more than the buffers of a connection hold
LAST_REPLIES = 2  # s, for which a server that stops waits for the last commands of its clients


class Counter(threading.Thread):
    """Sends pipelines of increments on one connection, and checks each reply."""

    def __init__(self, server, number, stop):
        super().__init__()
        self.client, self.key, self.stop, self.problem = server.client(), f"n{number}", stop, None
        self.count = 0
        if number % 2:
            self.client.call("HELLO", 3)

    def run(self):
        try:
            while not self.stop.is_set():
                self.client.socket.sendall(encode(["INCR", self.key]) * 10)
                for _ in range(10):
                    self.count += 1
                    check(self.client.read() == self.count, self.key, self.count)
        except Exception as error:
            self.problem = repr(error)


class Connector(threading.Thread):
    """Connects again and again."""

    def __init__(self, server, stop):
        super().__init__()
        self.server, self.stop, self.problem, self.count = server, stop, None, 0

    def run(self):
        try:
            while not self.stop.is_set():
                client = self.server.client()
                check(client.call("PING") == "PONG", "PING")
                client.close()
                self.count += 1
        except Exception as error:
            self.problem = repr(error)


def ready(server, times):
    deadline = time.monotonic() + LIMIT
    while server.output().count("mini-redis: ready") < times:
        check(server.process.poll() is None and time.monotonic() < deadline, server.output())
        time.sleep(0.01)


class Stop:
    """The time between a server's stop and the last command or reply of its clients."""

    def __init__(self):
        self.began = self.ended = None

    def clients(self, server, number):
        """Returns when the server has cancelled its clients: one in MULTI is closed."""
        witness = server.client()
        witness.call("MULTI")
        self.began, self.ended = time.monotonic(), None
        server.process.send_signal(number)
        check(witness.file.read() == b"", "a client in MULTI is closed")

    def end(self):
        self.ended = time.monotonic()

    def is_late(self):
        return self.began and (self.ended or time.monotonic()) - self.began > LAST_REPLIES


def in_time(test, command):
    """Repeats a test that fails on a machine that was slower than the server's limit."""
    while True:
        stop = Stop()
        try:
            return test(command, stop)
        except (AssertionError, EOFError, OSError):
            if not stop.is_late():
                raise


def begin_large_reply(server):
    """Returns: a client to which a part of a reply of LARGE bytes was written. It has read one byte of
    it, and has sent another command, too."""
    server.client().call("SET", "large", b"x" * LARGE)
    client = server.client()
    client.socket.sendall(encode(["GET", "large"]) + encode(["ECHO", "behind"]))
    check(client.socket.recv(1) == b"$", "the beginning of the reply")
    return client


def read_large_reply(client, stop):
    check(client.file.readline() == b"%d\r\n" % LARGE, "the size")
    check(client.file.read(LARGE + 2) == b"x" * LARGE + b"\r\n", "the whole reply")
    check(client.read() == b"behind", "the reply behind it")
    stop.end()


def large_replies(command, stop):
    """A reply of which a part was written is written to its end, or the client is closed."""
    with Server(command, "--workers", 2, "--appendonly", "yes") as server:
        reader, sleeper = begin_large_reply(server), begin_large_reply(server)
        stop.clients(server, signal.SIGUSR2)
        read_large_reply(reader, stop)
        ready(server, 2)
        check(reader.call("PING") == "PONG", "handed over")
        sleeper.send("PING")
        try:
            rest = sleeper.file.read()
        except ConnectionResetError:
            rest = b""
        check(b"PONG" not in rest and len(rest) < LARGE, "closed within the reply")
        check(server.end() == 0, "exit status", server.output())
    with Server(command, "--workers", 2) as server:
        reader = begin_large_reply(server)
        stop.clients(server, signal.SIGTERM)
        read_large_reply(reader, stop)
        check(reader.file.read() == b"", "the end")


def blocked(command, stop):
    """Blocked clients are closed, also those whose command is completed during the hand-over."""
    with Server(command, "--workers", 2, "--appendonly", "yes") as server:
        waiter, late, pusher = server.client(), server.client(), server.client()
        waiter.send("BLPOP", "none", 0)
        until_blocked(server.client(), 1)
        blpop, rpush = encode(["BLPOP", "k", 0]), encode(["RPUSH", "k", "x"])
        for client, data in (late, blpop), (pusher, rpush):
            client.socket.sendall(encode(["PING"]) + data[:-4])
            check(client.read() == "PONG", "half a command has come")
        stop.clients(server, signal.SIGUSR2)
        late.socket.sendall(blpop[-4:] + encode(["BLPOP", "other", 0]))
        check(late.file.read() == b"", "a client that blocks during the hand-over is closed")
        pusher.socket.sendall(rpush[-4:])
        check(pusher.read() == 1, "RPUSH")
        stop.end()
        check(waiter.file.read() == b"", "a blocked client is closed")
        check(pusher.call("LLEN", "k") == 1, "no closed client has got the element")
        check(server.end() == 0, "exit status", server.output())


def busy_clients(command):
    # A relative path of the program, which changes its directory.
    with Server([os.path.relpath(command[0])], "--workers", 2, "--appendonly", "yes") as server:
        stop = threading.Event()
        ready(server, 1)
        idle, half, busy = server.client(), server.client(), server.client()
        idle.call("SET", "kept", "value")
        half.socket.sendall(b"*2\r\n$3\r\nGET\r\n$4\r\nke")
        busy.call("MULTI")
        threads = [Counter(server, n, stop) for n in range(4)] + [Connector(server, stop)]
        for thread in threads:
            thread.start()
        for n in range(HAND_OVERS):
            server.process.send_signal(signal.SIGUSR2)
            if n == 0:
                half.socket.sendall(b"pt\r\n")
                check(half.read() == b"value", "half a command")
            ready(server, n + 2)
        stop.set()
        for thread in threads:
            thread.join()
            check(thread.problem is None, thread.problem, server.output())
            check(thread.count > 0, "progress")
        check(idle.call("GET", "kept") == b"value", "the idle client")
        check(idle.call("GET", "n0") == b"%d" % threads[0].count, "no increment is lost")
        check(busy.file.read() == b"", "a client in MULTI is closed")
        check(server.end() == 0, "exit status", server.output())


def without_log(command):
    with Server(command) as server:
        client = server.client()
        client.call("PING")
        server.process.send_signal(signal.SIGUSR2)
        check(not isinstance(client.call("SET", "a", "1"), Error), "without a log it is ignored")


def main():
    command = [sys.argv[1]]
    busy_clients(command)
    for test in large_replies, blocked:
        in_time(test, command)
    without_log(command)


if __name__ == "__main__":
    main()
