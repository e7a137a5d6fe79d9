# SPDX-License-Identifier: Apache-2.0
"""Clients: thousands of flows, each from an address and port of its own, and who answered them.

A flow is (source address, source port, destination address, destination port). Each gets one socket, so an answer
to one flow is never taken for another's. `ask_udp` waits a little after the last answer for a second one: from another
node, it would be a second owner; for TCP that is the witness's business (witness.py).
"""

import collections
import errno
import ipaddress
import random
import select
import socket
import threading
import time

import netns
from harness import PATIENCE, check, check_one_owner

Flow = collections.namedtuple("Flow", "source sport destination dport")

# The client's namespace holds all of these as local addresses.
SOURCES4 = "198.18.0.0/15"
SOURCES6 = "2001:db8:77::/48"
_IPV6_FREEBIND = 78

# What is asked at once. An emulated machine is so slow that beats would stand behind it in the kernel's queue for seconds.
_WINDOW, _BURST = max(1, round(256 / PATIENCE)), max(1, round(50 / PATIENCE))


def source4(number):
    return f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 255}.{number & 255}"


def source6(number):
    return str(ipaddress.ip_address(f"2001:db8:77:{number >> 16 & 0xffff:x}::{number & 0xffff:x}"))


def many(count, destination, dport, seed=1):
    """count flows to one destination: no two alike, addresses over many networks, ports over the whole range."""
    dice = random.Random(f"{seed}/{destination}/{dport}")
    flows = set()
    while len(flows) < count:
        if ":" in destination:
            source = source6(dice.getrandbits(32) | 1)
        else:
            source = source4(dice.randrange(1, 1 << 17))
        flows.add(Flow(source, dice.randrange(1024, 65536), destination, dport))
    return sorted(flows)


def open_socket(flow, kind):
    """A non-blocking client socket bound to the flow's source. Call it inside the client's namespace."""
    six = ":" in flow.source
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    if six:
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Closing sends a reset: no time-wait on either side, so that a flow can be asked again.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    made.bind((flow.source, flow.sport))
    made.connect_ex((flow.destination, flow.dport))
    return made


def ask_udp(client, flows, deadline=30.0 * PATIENCE, tries=round(8 * PATIENCE)):
    """flow -> list of the names that answered its datagram. A datagram without an answer is sent again."""
    answers = {}
    for start in range(0, len(flows), 500):
        answers.update(_ask_udp_batch(client, flows[start:start + 500], deadline, tries))
    return answers


def _ask_udp_batch(client, flows, deadline, tries):
    answers = {flow: [] for flow in flows}
    poll = select.epoll()
    with netns.inside(client):
        sockets = {flow: open_socket(flow, socket.SOCK_DGRAM) for flow in flows}
    owners = {made.fileno(): flow for flow, made in sockets.items()}
    for descriptor in owners:
        poll.register(descriptor, select.EPOLLIN)

    def collect(seconds):
        """Takes in answers until none has come for that time."""
        while events := poll.poll(seconds):
            for descriptor, _ in events:
                flow = owners[descriptor]
                try:
                    name, attempt = sockets[flow].recv(2048).decode().split()
                    answers[flow].append((attempt, name))
                except OSError:
                    pass  # an ICMP error: no answer

    end = time.monotonic() + deadline
    for attempt in range(tries):
        missing = [flow for flow in flows if not answers[flow]]
        if not missing or time.monotonic() > end:
            break
        for number, flow in enumerate(missing):
            try:
                sockets[flow].send(str(attempt).encode())
            except OSError:
                pass
            if number % _BURST == _BURST - 1:
                collect(0 if PATIENCE <= 1 else 0.05)
        collect(0.2)
    for made in sockets.values():
        made.close()
    # The same attempt answered by two is two owners; a late answer to an earlier attempt is not.
    result = {}
    for flow, got in answers.items():
        attempts = {attempt for attempt, _ in got}
        for attempt in attempts:
            check_one_owner([name for number, name in got if number == attempt], f"a datagram of {flow}")
        result[flow] = max(([name for number, name in got if number == attempt] for attempt in attempts),
                           key=len, default=[])
        if len({name for _, name in got}) > 1:
            result[flow] = [name for _, name in got]
    return result


REFUSED = "refused"  # what no server calls itself


def ask_tcp(client, flows, timeout=5.0 * PATIENCE, window=_WINDOW):
    """flow -> the name that the server said, REFUSED, or None (reset later, or silence for `timeout` seconds)."""
    answers = {flow: None for flow in flows}
    waiting = {}
    queue = collections.deque(flows)
    poll = select.epoll()
    with netns.inside(client):
        while queue or waiting:
            while queue and len(waiting) < window:
                flow = queue.popleft()
                made = open_socket(flow, socket.SOCK_STREAM)
                waiting[made.fileno()] = (flow, made, time.monotonic() + timeout)
                poll.register(made.fileno(), select.EPOLLIN)
            for descriptor, _ in poll.poll(0.1):
                flow, made, _ = waiting.pop(descriptor)
                answer, error = _first_word(made)
                answers[flow] = REFUSED if error == "ECONNREFUSED" else answer
                _close(poll, made)
            now = time.monotonic()
            for descriptor in [key for key, (_, _, end) in waiting.items() if end < now]:
                _close(poll, waiting.pop(descriptor)[1])
    return answers


def _close(poll, connection):
    """Unregistered by name: while another thread forks, a copy of the socket lives on and would go on reporting."""
    poll.unregister(connection.fileno())
    connection.close()


def _first_word(connection):
    """(what the server said, None), or (None, the name of the error, "end" for one without a word)."""
    try:
        word = connection.recv(256).decode().strip()
    except OSError as error:
        return None, errno.errorcode[error.errno]
    return (word, None) if word else (None, "end")


Attempt = collections.namedtuple("Attempt", "started flow answer took error")


class Load(threading.Thread):
    """Requests at a steady rate until stop(), and at least ENOUGH: one new TCP connection each, from many addresses.

    A request that is refused or has no answer within `patience` seconds has failed: its answer is None, and error says how.
    attempts holds them in order of start.
    """

    ENOUGH = 300

    def __init__(self, client, flows, per_second=200 / PATIENCE, patience=3.0 * PATIENCE):
        super().__init__(daemon=True)
        self.attempts = []
        self._client, self._flows = client, flows
        self._gap, self._patience = 1.0 / per_second, patience
        self._stopping = threading.Event()
        self._error = None

    def run(self):
        try:
            with netns.inside(self._client):
                self._run()
        except Exception as error:  # shown by stop(): a thread's exception is lost otherwise
            self._error = error

    def _run(self):
        poll = select.epoll()
        waiting = {}
        next_start, number = time.monotonic(), 0
        while (more := number < self.ENOUGH or not self._stopping.is_set()) or waiting:
            now = time.monotonic()
            if now >= next_start and more:
                flow = self._flows[number % len(self._flows)]
                # Another port each time around, so that no connection meets the remains of an earlier one.
                port = 1024 + (flow.sport + 7919 * (number // len(self._flows))) % 64000
                flow = flow._replace(sport=port)
                number += 1
                next_start += self._gap
                made = open_socket(flow, socket.SOCK_STREAM)
                waiting[made.fileno()] = (flow, made, now)
                poll.register(made.fileno(), select.EPOLLIN)
            for descriptor, _ in poll.poll(max(0.0, min(0.05, next_start - time.monotonic()))):
                flow, made, started = waiting.pop(descriptor)
                answer, error = _first_word(made)
                self.attempts.append(Attempt(started, flow, answer, time.monotonic() - started, error))
                _close(poll, made)
            for descriptor in [key for key, entry in waiting.items() if now - entry[2] > self._patience]:
                flow, made, started = waiting.pop(descriptor)
                self.attempts.append(Attempt(started, flow, None, now - started, "silence"))
                _close(poll, made)

    def stop(self):
        """Ends the load, waits for what is open, returns the attempts."""
        self._stopping.set()
        self.join(120 * PATIENCE)
        check(not self.is_alive(), "the load does not end")
        if self._error is not None:
            raise self._error
        self.attempts.sort()
        return self.attempts
