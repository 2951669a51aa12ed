#!/usr/bin/env python3
"""Clients that break the protocol, send half commands, never read, or flood.

usage: test_abuse.py MINI_REDIS
"""
import pathlib
import resource
import socket
import sys
import threading
import time

from resp import Client, Error, LIMIT, Server, check, encode

MIB = 1024 * 1024


def answer_to(server, data):
    """All bytes that the server answers before it closes the connection."""
    client = Client(server.port)
    client.socket.sendall(data)
    answer = client.file.read()
    client.close()
    return answer


def protocol_errors(server):
    for data, error in [
            (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
            (b"*1\r\n$-1\r\n", b"invalid bulk length"),
            (b"*1\r\n$99999999999999999999\r\n", b"invalid bulk length"),
            (b"*1\r\n$abc\r\n", b"invalid bulk length"),
            (b"*99999999999\r\n", b"invalid multibulk length"),
            (b"*abc\r\n", b"invalid multibulk length"),
            (b"*1\r\nx", b"expected '$', got 'x'"),
            (b"*1\r\n$" + b"1" * 70000, b"too big bulk count string"),
            (b"*" + b"1" * 70000, b"too big mbulk count string"),
            (b"x" * 70000, b"too big inline request"),
            (b"set a 'b\r\n", b"unbalanced quotes in request"),
            (b"set a \"b\"c\r\n", b"unbalanced quotes in request"),
    ]:
        answer = answer_to(server, data)
        check(answer == b"-ERR Protocol error: " + error + b"\r\n", data[:30], answer)
    answer = answer_to(server, encode(["PING"]) + b"*1\r\n?")
    check(answer == b"+PONG\r\n-ERR Protocol error: expected '$', got '?'\r\n", answer)


def harmless(server):
    client = server.client()
    client.socket.sendall(b"*0\r\n*-5\r\n\r\n" + encode(["PING"]))
    check(client.read() == "PONG", "empty commands")
    for end in range(1, len(encode(["ECHO", "hello"]))):
        data = encode(["ECHO", "hello"])
        client.socket.sendall(data[:end])
        check(server.client().call("PING") == "PONG", "others meanwhile")
        client.socket.sendall(data[end:])
        check(client.read() == b"hello", "in two pieces", end)


def memory(server):
    """Bytes of the process in memory."""
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024


def claims(server):
    """Clients that claim large arguments and send nothing get no memory for them."""
    before = memory(server)
    clients = [server.client() for _ in range(40)]
    for client in clients:
        client.socket.sendall(b"*1000000\r\n$536870912\r\nhalf")
    check(server.client().call("PING") == "PONG", "others")
    check(memory(server) - before < 64 * MIB, "memory of claims", memory(server) - before)
    for client in clients:
        client.close()


def never_reads(server):
    """A client that asks for much and never reads gets no further commands executed."""
    client = server.client()
    client.call("SET", "large", b"x" * MIB)
    before = memory(server)
    greedy = socket.create_connection(("127.0.0.1", server.port))
    greedy.setblocking(False)
    data, sent = encode(["GET", "large"]) * 100, 0
    try:
        while sent < len(data) * 50:
            sent += greedy.send(data)
    except BlockingIOError:
        pass
    check(client.call("PING") == "PONG", "others")
    check(memory(server) - before < 64 * MIB, "memory of replies", memory(server) - before)
    greedy.close()


def deep_pipeline(server):
    client, count = server.client(), 50000
    thread = threading.Thread(target=client.socket.sendall, args=(encode(["INCR", "n"]) * count,))
    thread.start()
    check([client.read() for _ in range(count)] == list(range(1, count + 1)), "a deep pipeline")
    thread.join()


def slow_subscriber(server):
    """A subscriber that does not read is cut off; the publisher and others are not delayed."""
    client, slow, quick = server.client(), server.client(), server.client()
    client.call("CONFIG", "SET", "output-limit", MIB)
    for subscriber in (slow, quick):
        subscriber.call("SUBSCRIBE", "news")
    message, got = b"m" * 100000, 0
    for _ in range(2000):
        receivers = client.call("PUBLISH", "news", message)
        check(quick.read() == [b"message", b"news", message], "the quick subscriber")
        got += 1
        if receivers == 1:
            break
    check(got < 2000, "the slow subscriber was cut off")


def watches(server):
    """A key is watched once, however often the client says so."""
    client, count = server.client(), 30000

    def used():
        return int(client.call("INFO", "memory").split(b"used_memory:")[1].split()[0])
    before = used()
    thread = threading.Thread(target=client.socket.sendall, args=(encode(["WATCH", "k"]) * count,))
    thread.start()
    check({client.read() for _ in range(count)} == {"OK"}, "WATCH")
    thread.join()
    check(used() - before < 400000, "memory of watches", used() - before)


def large_values(server):
    client, value = server.client(), bytes(range(256)) * 4096 * 8
    check(client.call("SET", "v", value) == "OK", "a large value")
    check(client.call("GET", "v") == value, "a large value")
    reply = client.call("SETRANGE", "v", 536870912, "x")
    check(isinstance(reply, Error) and "maximum allowed size" in reply, reply)


def limits(command):
    """Clients over the limit wait, and idle clients are closed."""
    with Server(command, "--maxclients", 2) as server:
        first, second = server.client(), server.client()
        check(first.call("PING") == second.call("PING") == "PONG", "two clients")
        third = server.client()
        third.send("PING")
        third.socket.settimeout(0.05)
        try:
            third.socket.recv(1)
            check(False, "the third client must wait")
        except TimeoutError:
            third.socket.settimeout(LIMIT)
        first.close()
        check(third.read() == "PONG", "served when there is a place")
        third.socket.sendall(encode(["CONFIG", "SET", "timeout", 1]) + encode(["PING"]))
        check([third.read(), third.read()] == ["OK", "PONG"], "CONFIG")
        check(third.file.read() == b"", "an idle client is closed")


def descriptors(command):
    """Without descriptors for further clients the others are served, and all recovers."""
    with Server(command) as server:
        first, pid = server.client(), server.process.pid
        check(first.call("PING") == "PONG", "PING")
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (40, before[1]))
        clients = [server.client() for _ in range(60)]
        clients[0].call("PING")
        check(first.call("PING") == "PONG", "the others")
        for client in clients[:50]:
            client.close()
        check(clients[-1].call("PING") == "PONG", "a client that has waited")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        check(server.client().call("PING") == "PONG", "a new client")


def never_reads_long(command):
    """A client that never reads is closed when its time is over."""
    with Server(command, "--write-timeout", 1) as server:
        client, greedy = server.client(), server.client()
        client.call("SET", "large", b"x" * MIB)
        greedy.socket.sendall(encode(["GET", "large"]) * 100)
        deadline = time.monotonic() + LIMIT
        while b"connected_clients:1\r\n" not in client.call("INFO", "clients"):
            check(time.monotonic() < deadline, "closed in time")
            time.sleep(0.01)


def main():
    with Server([sys.argv[1]], "--workers", 2) as server:
        for test in (protocol_errors, harmless, claims, never_reads, deep_pipeline,
                     slow_subscriber, watches, large_values):
            test(server)
            check(server.process.poll() is None, "the server lives after", test.__name__)
    limits([sys.argv[1]])
    descriptors([sys.argv[1]])
    never_reads_long([sys.argv[1]])


if __name__ == "__main__":
    main()
