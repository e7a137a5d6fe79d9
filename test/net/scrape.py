# SPDX-License-Identifier: Apache-2.0
"""What a node says over HTTP, and its metrics as a dictionary.

    answer = scrape.get(cluster, "192.0.2.1", "/metrics")         # asked by the client
    metrics = scrape.parse(answer.text)
    metrics.value("nlbd_member_state", member="web1", state="active")
"""

import collections
import glob
import os
import re
import socket
import subprocess

import netns
from harness import SOURCE, Failed, check

PORT = 9777
LISTEN = f'\n[metrics]\nlisten = "0.0.0.0:{PORT}"\n'
Answer = collections.namedtuple("Answer", "code headers text")


def names_in_source():
    """Every metric that the agent can export."""
    names = set()
    for path in glob.glob(os.path.join(SOURCE, "agent/**/*.cpp"), recursive=True):
        with open(path) as file:
            names |= set(re.findall(r'"((?:nlbd|process)_[a-z_]+)"', file.read()))
    return names


def connect(cluster, address, who=None, port=PORT, source=None):
    with netns.inside(cluster.client if who is None else cluster.namespace(who)):
        return socket.create_connection((address, port), timeout=20, source_address=source and (source, 0))


def ask(cluster, address, request, **options):
    """Sends bytes and reads until the other side closes; a reset ends an answer as well."""
    with connect(cluster, address, **options) as connection:
        received = b""
        try:
            connection.sendall(request)
            while piece := connection.recv(65536):
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
        return received


def get(cluster, address, path, method="GET", headers="", **options):
    request = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
    received = ask(cluster, address, request.encode(), **options)
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        raise Failed(f"{method} {path}: no answer: {received[:200]}")
    first, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    check(method == "HEAD" or int(fields["content-length"]) == len(body), f"{path}: the body has another length")
    return Answer(int(first.split()[1]), fields, body.decode())


class Metrics(dict):
    """(name, frozenset of labels) -> value"""

    def value(self, name, **labels):
        key = (name, frozenset(labels.items()))
        check(key in self, f"no metric {name} {labels}")
        return self[key]

    def total(self, name, **labels):
        """The sum over all samples that have these labels."""
        return sum(value for (known, all_labels), value in self.items()
                   if known == name and labels.items() <= dict(all_labels).items())

    def names(self):
        return {name for name, _ in self}


def parse(text):
    metrics = Metrics()
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        found = re.fullmatch(r"([a-z_:]+)(?:\{(.*)\})? (\S+)", line)
        check(found, f"not a sample: {line}")
        key = (found[1], frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or "")))
        check(key not in metrics, f"twice: {line}")
        metrics[key] = float(found[3])
    return metrics


def promtool_says(text):
    """What promtool finds wrong with a scrape; nothing: all is well."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    return (done.stdout + done.stderr).strip() if done.returncode or done.stderr.strip() else ""
