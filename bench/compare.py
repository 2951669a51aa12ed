#!/usr/bin/env python3
"""Compares edo's servers with what the kernel alone costs (raw-epoll.c), and with those of others,
in interleaved runs.

Needs the release build: cmake --preset release && cmake --build --preset release

    bench/compare.py                      current-thread
    bench/compare.py --runtime mt2 --idle 0 --peer 'tokio=/path/of/its-bench mt2' --peer libuv=/path
"""
import argparse
import json
import os
import pathlib
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build" / "release"
OTHER_DESCRIPTORS = 64  # what a server or a client holds beside its connections


def own_servers(args):
    """Name, command, environment of each. The first is what the others' CPU is compared with."""
    edo = [args.build / "bench/edo-bench", args.runtime]
    return [
        ("raw epoll", [args.build / "bench/raw-epoll"], {}),
        ("edo, epoll", edo, {"EDO_DRIVER": "epoll"}),
        ("edo, io_uring", edo, {"EDO_DRIVER": "io_uring"}),
    ]


def read_peer(text):
    """NAME=COMMAND; the command is given a workload and a port."""
    name, _, command = text.partition("=")
    if not name or not command:
        raise argparse.ArgumentTypeError("not NAME=COMMAND")
    return name, shlex.split(command), {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def load(build, place, server, options):
    command = [build / "tools/edo-load", "--json", "--wait", "10", "--server-pid", str(server.pid)]
    result = subprocess.run(command + options + [place], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, check=True, timeout=120)
    return json.loads(result.stdout)


def measure(build, workload, command, environment, options):
    """One run: a fresh server, a fresh client."""
    with tempfile.TemporaryDirectory() as directory:
        is_unix = workload == "unix_echo"
        place = f"{directory}/socket" if is_unix else str(free_port())
        server = subprocess.Popen([*command, workload, place], env=os.environ | environment)
        try:
            return load(build, place if is_unix else f"127.0.0.1:{place}", server, options)
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()


def interleaved(args, servers, workload, options, pick):
    """Returns: for each server the medians of what pick() takes from the results of its runs."""
    values = [[] for _ in servers]
    for _ in range(args.runs):
        for (_, command, environment), of_server in zip(servers, values):
            result = measure(args.build, workload, command, environment, options)
            of_server.append(pick(result))
    return [[statistics.median(column) for column in zip(*of_server)] for of_server in values]


def compare_echo(args):
    options = ["-c", str(args.connections), "-s", str(args.size), "-p", str(args.pipeline),
               "-d", str(args.seconds)]
    servers = own_servers(args) + args.peer
    workload = "unix_echo" if args.unix else "echo"
    medians = interleaved(args, servers, workload, options, lambda r: (
        r["server"]["cpu_us_per_request"], r["requests_per_second"],
        r["latency_us"]["p50"], r["latency_us"]["p99"]))
    best_p99 = min((p99 for _, _, _, p99 in medians[len(own_servers(args)):]), default=None)
    print(f"{workload}: {args.runtime}, {args.connections} connections, {args.size} bytes, "
          f"{args.pipeline} in flight; medians of {args.runs} runs of {args.seconds} s")
    print(f"{'':16}{'server CPU':>14}{'of raw':>8}{'requests/s':>13}{'p50':>10}{'p99':>10}"
          f"{'of the best peer':>18}")
    for (name, _, _), (cpu, rate, p50, p99) in zip(servers, medians):
        ratio = f"{p99 / best_p99:.3f}" if best_p99 else "-"
        print(f"{name:16}{cpu:>11.3f} us{cpu / medians[0][0]:>8.3f}{rate:>13.0f}"
              f"{p50:>7.0f} us{p99:>7.0f} us{ratio:>18}")


def compare_memory(args):
    options = ["--idle", "-c", str(args.idle)]
    servers = own_servers(args)
    medians = interleaved(args, servers, "memserver", options,
                          lambda r: (r["server"]["bytes_per_connection"],))
    print(f"memory: {args.idle} idle connections, a buffer of 1024 bytes each; "
          f"medians of {args.runs} runs")
    print(f"{'':16}{'per connection':>16}{'beside the buffer':>20}")
    for (name, _, _), (size,) in zip(servers, medians):
        print(f"{name:16}{size:>10.0f} bytes{size - 1024:>14.0f} bytes")


def raise_limit(wanted):
    """Servers and clients inherit it. Returns: how many connections it allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(wanted, hard - OTHER_DESCRIPTORS) if hard != resource.RLIM_INFINITY else wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=BUILD, help="the build to measure")
    parser.add_argument("--runtime", default="ct", help="edo's: ct, or mtN with N workers")
    parser.add_argument("--peer", type=read_peer, action="append", default=[],
                        metavar="NAME=COMMAND", help="another echo server, called with `echo PORT`")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--size", type=int, default=64, help="bytes of a message")
    parser.add_argument("--unix", action="store_true", help="over Unix sockets instead of TCP")
    parser.add_argument("--pipeline", type=int, default=1, help="messages in flight on each")
    parser.add_argument("--idle", type=int, default=10000, help="connections; 0: no such run")
    args = parser.parse_args()
    compare_echo(args)
    if args.idle:
        args.idle = raise_limit(args.idle)
        compare_memory(args)


if __name__ == "__main__":
    sys.exit(main())
