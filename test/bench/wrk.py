# SPDX-License-Identifier: Apache-2.0
"""wrk asks nginx (test/net/web.py) as fast as it is answered, over connections that stay open."""

import re
import subprocess

import netns
import web
from harness import VIP4, check

CONNECTIONS = 32

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}


def ask(cluster, seconds):
    """{"requests_per_s", "p50_ms", "p99_ms", "failed"}"""
    words = ["wrk", "--threads", 1, "--connections", CONNECTIONS, "--duration", f"{seconds}s", "--latency",
             f"http://{VIP4}:{web.PORT}/"]
    done = subprocess.run(netns.command(cluster.client, words), capture_output=True, text=True, timeout=seconds + 60,
                          preexec_fn=netns.die_with_parent)
    check(done.returncode == 0 and "Requests/sec" in done.stdout, f"wrk: {done.stdout}{done.stderr}")
    return {"requests_per_s": float(re.search(r"Requests/sec: +([\d.]+)", done.stdout)[1]),
            "p50_ms": _latency(done.stdout, 50), "p99_ms": _latency(done.stdout, 99), "failed": _failed(done.stdout)}


def _latency(text, percent):
    value, unit = re.search(rf"^ +{percent}% +([\d.]+)(us|ms|s|m)$", text, re.M).groups()
    return round(1000 * float(value) * _SECONDS[unit], 4)


def _failed(text):
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return sum(map(int, errors.groups() if errors else ())) + (int(refused[1]) if refused else 0)
