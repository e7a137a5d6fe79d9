# SPDX-License-Identifier: Apache-2.0
"""A steady stream of UDP requests, each numbered: whether every single one was answered, once, and by whom.

    with Datagrams(cluster.client, flows.many(60, VIP4, 7001)) as asked:
        ...
    asked.check_all_answered(owners)      # owners: flow -> node

No client sends a datagram again, so one that the cluster lost stays without an answer.
"""

import select
import socket
import threading
import time

import flows
import netns
from harness import check, check_one_owner


class Datagrams(threading.Thread):
    ENOUGH = 200  # it goes on until so many are sent

    def __init__(self, client, asked, per_second=300):
        super().__init__(daemon=True)
        self._flows, self._gap = asked, 1.0 / per_second
        with netns.inside(client):
            self._sockets = [flows.open_socket(flow, socket.SOCK_DGRAM) for flow in asked]
        self._sent = []      # the time of each
        self._answers = {}   # number -> the names that answered it
        self._stopping = threading.Event()
        self._error = None

    def run(self):
        try:
            self._run()
        except Exception as error:  # shown at the end: a thread's exception is lost otherwise
            self._error = error

    def _run(self):
        poll = select.epoll()
        by_descriptor = {made.fileno(): made for made in self._sockets}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        next_one, end = time.monotonic(), None
        while end is None or (time.monotonic() < end and len(self._answers) < len(self._sent)):
            now = time.monotonic()
            if end is None and now >= next_one:
                self._sockets[len(self._sent) % len(self._sockets)].send(str(len(self._sent)).encode())
                self._sent.append(now)
                next_one += self._gap
            for descriptor, _ in poll.poll(max(0.0, min(0.05, next_one - time.monotonic()))):
                name, number = by_descriptor[descriptor].recv(2048).decode().split()
                self._answers.setdefault(int(number), []).append(name)
            if end is None and self._stopping.is_set() and len(self._sent) > self.ENOUGH:
                end = next_one = time.monotonic() + 20

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.join(60)
        if self._error is not None:
            raise self._error

    def check_all_answered(self, owners):
        wrong = {}
        for number, sent in enumerate(self._sent):
            flow = self._flows[number % len(self._flows)]
            check_one_owner(self._answers.get(number, []), f"a datagram of {flow}")
            if self._answers.get(number, []) != [owners[flow]]:
                wrong[number] = (round(sent - self._sent[0], 3), owners[flow], self._answers.get(number))
        check(not wrong, f"{len(wrong)} of {len(self._sent)} datagrams were not answered by their owner alone: "
                         f"(when, owner, answered by) {list(wrong.values())[:10]}")
