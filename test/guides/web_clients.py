# SPDX-License-Identifier: Apache-2.0
"""Web clients of many addresses: those of the demonstration, which take the last word of a page for the server's name.

    with Clients(cluster, addresses(200), per_second=100) as clients: ...
    clients.requests          # (started, source, answer or None, took) of each
"""

import collections
import os
import sys

from harness import SOURCE

sys.path.append(os.path.join(SOURCE, "packaging/demonstration"))
import clients as demonstration  # noqa: E402


def addresses(count):
    return [demonstration.address(number) for number in range(count)]


def count_failed(requests):
    return sum(request.answer is None for request in requests)


def answered_by(cluster, sources):
    """Each asks once; server -> how many it answered. None: no server did."""
    asking = demonstration.Clients(cluster.client, sources, gap=0.005, count=len(sources))
    asking.start()
    return collections.Counter(request.answer for request in asking.finish(stop=False))


class Clients:
    """They ask one after the other, again and again, while the block lasts."""

    def __init__(self, cluster, sources, per_second):
        self._asking = demonstration.Clients(cluster.client, sources, gap=1 / per_second)
        self.requests = []

    def __enter__(self):
        self._asking.start()
        return self

    def __exit__(self, *_):
        self.requests = self._asking.finish()
