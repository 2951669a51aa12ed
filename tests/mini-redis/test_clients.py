#!/usr/bin/env python3
"""Real clients: redis-cli, redis-benchmark, and the npm libraries `redis` and `ioredis`.

usage: test_clients.py MINI_REDIS

The npm libraries are searched for in build/npm (script/setup installs them there). What is not
installed is skipped, with a line that says so.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys

from resp import Client, Server, check

ROOT = pathlib.Path(__file__).resolve().parents[2]
NPM = ROOT / "build" / "npm" / "node_modules"


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60,
                          **options).stdout


def redis_cli(server):
    def cli(*args):
        return output("redis-cli", "-p", str(server.port), *args).strip()
    check(cli("SET", "a", "1") == "OK", "SET")
    check(cli("INCR", "a") == "2", "INCR")
    check(cli("-3", "HSET", "h", "f", "v") == "1", "HSET")
    check(cli("-3", "HGETALL", "h") == "f v", "HGETALL in RESP3", cli("-3", "HGETALL", "h"))
    check("redis_version" in cli("INFO"), "INFO")
    check("COMMAND" in cli("COMMAND", "DOCS", "GET").upper() or cli("COMMAND", "COUNT"), "COMMAND")
    check(cli("--scan").split() == sorted(cli("KEYS", "*").split(), key=cli("--scan").split().index),
          "scan")


def benchmark(server):
    table = output("redis-benchmark", "-p", str(server.port), "-n", "2000", "-c", "20", "-P", "4",
                   "-q", "-t", "ping,set,get,incr,lpush,lpop,sadd,spop,hset,zadd,lrange_100,mset")
    check("rror" not in table and table.count("requests per second") >= 12, table)


def inline(server):
    client = Client(server.port)
    client.socket.sendall(b"set greeting 'hello world'\r\n\r\nGET greeting\r\nSET x \"\\x41\\n\"\n")
    check([client.read() for _ in range(3)] == ["OK", b"hello world", "OK"], "inline commands")
    check(client.call("GET", "x") == b"A\n", "escapes")


def unix_socket(command):
    """A Unix socket too; its file is removed at the end."""
    with Server(command, "--unixsocket", "mini.sock") as server:
        path = pathlib.Path(server.directory, "mini.sock")
        # the Unix socket comes after the TCP socket, and before the first answer
        check(server.client().call("PING") == "PONG", "PING")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"SET a 1\r\nCLIENT LIST\r\n")
            with client.makefile("rb") as answer:
                check(answer.readline() == b"+OK\r\n", "SET")
                size = int(answer.readline()[1:])
                check(str(path.name).encode() in answer.read(size), "CLIENT LIST")
        if shutil.which("redis-cli"):
            check(output("redis-cli", "-s", str(path), "GET", "a").strip() == "1", "redis-cli -s")
        check(server.client().call("GET", "a") == b"1", "TCP")
        check(server.end() == 0 and not path.exists(), "the end")


def npm(server, name):
    script = pathlib.Path(__file__).with_name(f"client_{name}.js")
    environment = dict(os.environ, NODE_PATH=str(NPM))
    check(output("node", str(script), str(server.port), env=environment).strip() == "ok", name)


def main():
    unix_socket([sys.argv[1]])
    with Server([sys.argv[1]], "--workers", 2) as server:
        inline(server)
        for program, test in (("redis-cli", redis_cli), ("redis-benchmark", benchmark)):
            if shutil.which(program):
                test(server)
            else:
                print(f"SKIPPED: there is no {program} (script/setup installs it)")
        for name in ("redis", "ioredis"):
            if shutil.which("node") and (NPM / name).is_dir():
                npm(server, name)
            else:
                print(f"SKIPPED: there is no npm library {name} (script/setup installs it)")


if __name__ == "__main__":
    main()
