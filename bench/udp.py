#!/usr/bin/env python3
"""Compares echo servers of UDP: processor time per datagram, in turns, and ratios to the raw loop.

    bench/udp.py [--rounds 5] [--seconds 1] [--window 64] [--size 64] [--train 1]
                 [--merge] [--full] [--runtime ct]

Without --full, a datagram may wake a server that waits, which then finds a batch of one.

Needs the release preset with edo-bench, raw-udp and udp-load.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import time

BENCH = pathlib.Path(__file__).resolve().parent.parent / "build" / "release" / "bench"


def servers(runtime):
    yield "raw", [BENCH / "raw-udp"], [], {}
    yield "raw x16", [BENCH / "raw-udp"], ["16"], {}
    yield "raw x16 joined", [BENCH / "raw-udp"], ["16", "joined"], {}
    for driver in ("epoll", "io_uring"):
        env = {"EDO_DRIVER": driver}
        edo = [BENCH / "edo-bench", runtime, "udp_echo"]
        yield f"edo {driver}", edo, [], env
        yield f"edo {driver} x16", edo, ["16", "single"], env
        yield f"edo {driver} merged", edo, ["16"], env


def run_behind_the_load():
    """In the server's process: has the load send all that it may before the server runs."""
    os.nice(10)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def measure(command, rest, env, port, options):
    server = subprocess.Popen([*command, str(port), *rest], env={**os.environ, **env},
                              preexec_fn=run_behind_the_load if options.full else None)
    try:
        wait_for(port)
        text = subprocess.run([BENCH / "udp-load", str(port), str(server.pid), options.seconds,
                               options.window, options.size, options.train,
                               *(["merge"] if options.merge else [])],
                              check=True, capture_output=True, text=True, timeout=60).stdout
    finally:
        server.kill()
        server.wait()
    return float(re.search(r"udp_cpu (\S+)", text)[1]), float(re.search(r"udp_rate (\S+)", text)[1])


def wait_for(port):
    """Until a socket of the port exists."""
    mark = f":{port:04X} "
    for _ in range(200):
        if mark in pathlib.Path("/proc/net/udp").read_text():
            return
        time.sleep(0.01)
    raise SystemExit(f"no server on port {port}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", default="1")
    parser.add_argument("--window", default="64")
    parser.add_argument("--size", default="64")
    parser.add_argument("--train", default="1")
    parser.add_argument("--merge", action="store_true", help="the load takes merged answers (GRO)")
    parser.add_argument("--full", action="store_true",
                        help="one CPU for both, and the load first, so that batches are full")
    parser.add_argument("--runtime", default="ct")
    parser.add_argument("--port", type=int, default=22000)
    options = parser.parse_args()
    if options.full:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    seen, port = {}, options.port
    for _ in range(options.rounds):
        for name, command, rest, env in servers(options.runtime):
            seen.setdefault(name, []).append(measure(command, rest, env, port, options))
            port += 1
    raw = statistics.median(cpu for cpu, _ in seen["raw"])
    for name, values in seen.items():
        cpu = statistics.median(cpu for cpu, _ in values)
        rate = statistics.median(rate for _, rate in values)
        print(f"{name:18} {cpu:6.3f} us  {cpu / raw:5.2f} of raw  {rate:9.0f} /s")


if __name__ == "__main__":
    main()
