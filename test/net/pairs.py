# SPDX-License-Identifier: Apache-2.0
"""Connections of which the test holds both ends: the client's, and the one that a node's listener accepted.

    pairs = Pairs(cluster)                  # listens on PORT of a virtual IP in every node's namespace
    pair = pairs.connect(flow)              # pair.client, pair.server (sockets), pair.node (who accepted it)
    bulk = Bulk([pair, ...])                # both ends send all the time, until bulk.stop(); upload=False: servers alone
"""

import collections
import select
import socket
import threading
import time

import flows
import netns
from harness import PATIENCE, VIP4, Failed, check

PORT = 7004
RULE = f"""
[[rule]]
name = "pairs"
protocol = "tcp"
ports = "{PORT}"
affinity = "none"
"""
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78

Pair = collections.namedtuple("Pair", "flow node client server")


def bound(namespace, address, kind):
    """A node's non-blocking socket on PORT of a virtual IP, which need not be there yet."""
    six = ":" in address
    with netns.inside(namespace):
        made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if six:
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    made.bind((address, PORT))
    return made


def _listener(namespace, address):
    made = bound(namespace, address, socket.SOCK_STREAM)
    made.listen(4096)
    return made


class Pairs:
    """client: the namespace that connections come from, by default the cluster's client."""

    def __init__(self, cluster, address=VIP4, client=None):
        self._client = client or cluster.client
        self._listeners = {node: _listener(cluster.namespace(node), address) for node in cluster.ids}

    def begin(self, flow):
        """A client's socket that has sent its SYN, non-blocking."""
        with netns.inside(self._client):
            return flows.open_socket(flow, socket.SOCK_STREAM)

    def accept(self, begun, seconds=30):
        """Waits until some node has accepted one of the connections in begun (flow -> client's socket)."""
        clients = {(flow.source, flow.sport): flow for flow in begun}
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            for ready in select.select(list(self._listeners.values()), [], [], 0.1)[0]:
                server, source = ready.accept()
                source = source[:2]
                server.setblocking(False)
                check(source in clients, f"accepted {source}, which is none of these clients")
                node = next(node for node, made in self._listeners.items() if made is ready)
                return Pair(clients[source], node, begun[clients[source]], server)
        raise Failed(f"nobody accepts one of {list(begun)[:3]}")

    def connect(self, flow):
        return self.accept({flow: self.begin(flow)})


def end_orderly(*sockets):
    """Closes without the reset that flows.open_socket asks for."""
    for made in sockets:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\0\0\0\0\0\0\0\0")
        made.close()


def says(sender, receiver, text, seconds=20):
    """Whether what one end sends arrives at the other; an OSError when the connection is broken."""
    sender.send(text)
    got, end = b"", time.monotonic() + seconds
    while len(got) < len(text) and time.monotonic() < end:
        if select.select([receiver], [], [], 0.1)[0]:
            data = receiver.recv(65536)
            if not data:
                break
            got += data
    return got == text


class Bulk(threading.Thread):
    """Both ends of every pair, or the servers alone, send all the time and read what comes, until stop()."""

    def __init__(self, pairs, upload=True, pause=0.002):
        super().__init__(daemon=True)
        self._ends = {made.fileno(): made for pair in pairs for made in (pair.client, pair.server)}
        self._senders = {made.fileno() for pair in pairs for made in (pair.server, pair.client)[:1 + upload]}
        receivers = [made.fileno() for pair in pairs for made in (pair.client, pair.server)[:1 + upload]]
        self.received = dict.fromkeys(receivers, 0)
        self._pause = pause
        self.errors = []
        self._stopping = threading.Event()
        self.start()

    def run(self):
        block = bytes(65536)
        poll = select.epoll()
        for descriptor in self._ends:
            poll.register(descriptor, select.EPOLLIN | (select.EPOLLOUT if descriptor in self._senders else 0))
        while not self._stopping.is_set():
            for descriptor, events in poll.poll(0.1):
                try:
                    self._serve(descriptor, events, block)
                except BlockingIOError:
                    pass
                except OSError as error:
                    self.errors.append(error)
                    poll.unregister(descriptor)
            time.sleep(self._pause)  # the machine is shared with the cluster

    def _serve(self, descriptor, events, block):
        made = self._ends[descriptor]
        if events & ~select.EPOLLOUT:
            data = made.recv(262144)
            if not data:
                raise OSError("ended by the other end")
            self.received[descriptor] += len(data)
        if events & select.EPOLLOUT:
            made.send(block)

    def all_flow(self, seconds=30):
        """Whether every end, from now on, receives something more; else the errors or how many stand still."""
        before, end = dict(self.received), time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end and not self.errors:
            if all(self.received[key] > before[key] + 65536 for key in before):
                return
            time.sleep(0.05)
        still = sum(self.received[key] <= before[key] + 65536 for key in before)
        raise Failed(f"bulk transfers: {len(self.errors)} broken {self.errors[:3]}, {still} of {len(before)} stand still")

    def stop(self):
        self._stopping.set()
        self.join(30)
