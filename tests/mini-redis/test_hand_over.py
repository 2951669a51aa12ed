#!/usr/bin/env python3
"""SIGUSR2: a new process image takes over listeners and clients. No connection is refused or closed,
and no command is lost, while clients send all the time.

usage: test_hand_over.py MINI_REDIS
"""
import os
import signal
import sys
import threading
import time

from resp import Error, LIMIT, Server, check, encode

HAND_OVERS = 3


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


def main():
    # A relative path of the program, which changes its directory.
    with Server([os.path.relpath(sys.argv[1])], "--workers", 2, "--appendonly", "yes") as server:
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
    with Server([sys.argv[1]]) as server:
        client = server.client()
        client.call("PING")
        server.process.send_signal(signal.SIGUSR2)
        check(not isinstance(client.call("SET", "a", "1"), Error), "without a log it is ignored")


if __name__ == "__main__":
    main()
