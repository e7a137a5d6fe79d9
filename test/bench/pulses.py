# SPDX-License-Identifier: Apache-2.0
"""Time without service, as clients see it.

Every client sends a datagram each millisecond, whatever became of the last, and notes which were answered and by
whom. A gap is the time from sending the last one that was answered to sending the next one that is, when some in
between were not: at most a millisecond too long. Datagrams, because TCP would hide what is to be measured: an unanswered SYN is sent again only after
a second. The filter treats both alike.

The sender is a process of its own at a real-time priority above the agents': held up while they change the tables,
it would miss what it is to measure. Its longest pause is part of the result.

    pulses = Pulses(namespace, flows)     # sends from here on
    ...
    seen = pulses.stop()                  # {flow: Seen}
"""

import collections
import json
import os
import select
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "net"))
import flows as net_flows  # noqa: E402 (the path is set above)
import netns  # noqa: E402

PERIOD = 0.001
_LAST_ANSWERS = 0.3
_PRIORITY = 20

# gaps: seconds each; sent, answered, twice: datagrams, twice those that had two answers; pause: the longest between
# two of them, seconds.
Seen = collections.namedtuple("Seen", "gaps sent answered twice pause")


class Pulses:
    def __init__(self, namespace, flows):
        self._flows = flows
        self._sender = subprocess.Popen(
            netns.command(namespace, [sys.executable, "-B", os.path.abspath(__file__), PERIOD]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=netns.die_with_parent)
        self._sender.stdin.write(json.dumps(flows) + "\n")
        self._sender.stdin.flush()
        if self._sender.stdout.readline() != "sending\n":
            raise RuntimeError("the sender of datagrams does not start")

    def stop(self):
        out, _ = self._sender.communicate(timeout=60)
        return {flow: Seen(*seen) for flow, seen in zip(self._flows, json.loads(out))}


class _Client:
    """One flow: when each datagram was sent, and how many answers it had."""

    def __init__(self, flow):
        self.socket = net_flows.open_socket(net_flows.Flow(*flow), socket.SOCK_DGRAM)
        self.sent, self.answers = [], []

    def send(self):
        self.sent.append(time.monotonic())
        self.answers.append(0)
        try:
            self.socket.send(b"%d" % (len(self.sent) - 1))
        except OSError:
            pass  # an ICMP error about an earlier one: not answered

    def receive(self):
        try:
            while True:
                self.answers[int(self.socket.recv(256).rsplit(b" ", 1)[1])] += 1
        except OSError:
            pass

    def seen(self):
        gaps, last = [], None
        for number, answers in enumerate(self.answers):
            if answers:
                if last is not None and number > last + 1:
                    gaps.append(self.sent[number] - self.sent[last])
                last = number
        if last is not None and last + 1 < len(self.sent):  # the service has not come back
            gaps.append(self.sent[-1] - self.sent[last])
        return Seen(gaps, len(self.sent), sum(map(bool, self.answers)), sum(count > 1 for count in self.answers),
                    max((later - sent for sent, later in zip(self.sent, self.sent[1:])), default=0))


def _send(period):
    clients = [_Client(flow) for flow in json.loads(sys.stdin.readline())]
    owner = {client.socket.fileno(): client for client in clients}
    poll, stopping = select.epoll(), select.poll()
    for descriptor in owner:
        poll.register(descriptor, select.EPOLLIN)
    stopping.register(sys.stdin, select.POLLIN | select.POLLHUP)

    def receive(until):
        while (left := until - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left):
                owner[descriptor].receive()

    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    print("sending", flush=True)
    due = time.monotonic()
    while not stopping.poll(0):
        for client in clients:
            client.send()
        due = max(due + period, time.monotonic() - period)  # what was missed is not caught up
        receive(due)
    receive(time.monotonic() + _LAST_ANSWERS)
    print(json.dumps([client.seen() for client in clients]))


if __name__ == "__main__":
    _send(float(sys.argv[1]))
