"""A small client, and servers on free ports, for the tests of mini-redis."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMIT = 60  # s, for anything that a server is asked; much, for a busy machine


class Error(str):
    """A reply that is an error."""


class Client:
    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=LIMIT)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *args):
        self.socket.sendall(encode(args))

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Error(rest.decode())
        if kind in b":(":
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"_":
            return None
        if kind in b"$=":
            if rest == b"-1":
                return None
            return self.file.read(int(rest) + 2)[:-2]
        if kind in b"*~>":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        raise ValueError(line)

    def call(self, *args):
        self.send(*args)
        return self.read()


def encode(args):
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


def hold_port():
    """A socket on a port that no other program gets. A server gets it, with SO_REUSEADDR."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


class Server:
    """A server in a directory of its own; `with` ends it."""

    def __init__(self, command, *options, directory=None, environment=None):
        self.command, self.options = command, [str(option) for option in options]
        self.own = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="edo-mini-redis-")
        self.environment = environment
        self.process = None
        self.holder = hold_port()
        self.port = self.holder.getsockname()[1]
        self.start()

    def start(self):
        self.log = open(pathlib.Path(self.directory, "server.log"), "ab")
        environment = dict(os.environ, **(self.environment or {}))
        self.process = subprocess.Popen(
            [*self.command, "--port", str(self.port), "--dir", self.directory, *self.options],
            stdout=self.log, stderr=self.log, env=environment)
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                Client(self.port).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{self.command[0]} does not start: {self.output()}")
                time.sleep(0.01)

    def client(self):
        return Client(self.port)

    def output(self):
        return pathlib.Path(self.directory, "server.log").read_text(errors="replace")

    def end(self, number=signal.SIGTERM):
        """Returns: the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.send_again(number)
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            sys.exit(f"{self.command[0]} does not end: {self.output()}")
        finally:
            self.log.close()

    def send_again(self, number):
        """ThreadSanitizer may keep a signal until the next one: see tests/support/servers.sh."""
        maps = pathlib.Path(f"/proc/{self.process.pid}/maps")
        try:
            if "libtsan" in maps.read_text():
                self.process.wait(10)
        except OSError:
            pass
        except subprocess.TimeoutExpired:
            self.process.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.end(signal.SIGKILL)
        self.holder.close()
        if self.own:
            shutil.rmtree(self.directory, ignore_errors=True)


def check(condition, *what):
    if not condition:
        print("failed:", *what, file=sys.stderr)
        raise AssertionError(what)


def until_blocked(client, count):
    deadline = time.monotonic() + LIMIT
    while b"blocked_clients:%d\r\n" % count not in client.call("INFO", "clients"):
        check(time.monotonic() < deadline, "blocked clients:", count)
