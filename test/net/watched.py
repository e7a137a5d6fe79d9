# SPDX-License-Identifier: Apache-2.0
"""Clients that ask without a pause, others whose connections stay, and a witness on the wire: which node answered which client.

    with Watched(cluster) as watch:       # begins when every client has been answered
        ...                               # whatever may go wrong
    watch.check_one_owner(changes=2)      # never two nodes at once; each client changed hands at most twice
    watch.check_served(["web2"])          # except web2's: no request failed, no connection broke, none was reset

All of a client's requests go to one node, so two nodes that take turns in answering one client are two owners, even
when no single SYN was answered twice. Which SYN a SYN-ACK answers is told by the time stamp that it echoes: a node
whose link was down repeats later what it has once accepted, when another one has long accepted a later SYN.
"""

import itertools
import struct

import connections
import flows
import netns
from harness import PATIENCE, VIP4, TwoOwners, check
from owners import expected
from witness import ACK, SYN, Witness, tcp_of


_SEEDS = itertools.count(100)  # so that what one has asked does not come back to another


def _echoed(frame):
    """The client's time stamp in a SYN-ACK over IPv4, TCP's option 8."""
    at, end = 34 + 20, 34 + (frame[34 + 12] >> 4) * 4
    while at < end and frame[at] != 8:
        at += 1 if frame[at] == 1 else frame[at + 1]
    check(at < end, "a SYN-ACK without a time stamp: net.ipv4.tcp_timestamps is off")
    return struct.unpack_from("!I", frame, at + 6)[0]


class Watched:
    def __init__(self, cluster, clients=200, per_second=300 / PATIENCE, held=80, pause=0.1 * PATIENCE, patience=20.0 * PATIENCE):
        self._clients = flows.many(clients, VIP4, 7002, seed=next(_SEEDS))
        self.owners = {flow.source: owner for flow, owner in expected(cluster, "tcp", self._clients).items()}
        netns.sysctl(cluster.client, "net.ipv4.tcp_timestamps", 2)  # one clock for all connections, no random offsets
        self._load = flows.Load(cluster.client, self._clients, per_second)
        self.held = connections.Held(cluster.client, flows.many(held, VIP4, 7001, seed=next(_SEEDS)), patience)
        self.talking = connections.Talking(self.held, pause)
        self._witness = Witness(cluster.switch)
        self._wait_until = cluster.wait_until
        self.attempts = []

    def __enter__(self):
        self._witness.__enter__()
        self.talking.__enter__()
        self._load.start()
        self._wait_until(lambda: len(self.histories()) == len(self.owners), "every client has been answered")
        return self

    def __exit__(self, *error):
        self.talking.__exit__(*error)
        self.attempts = self._load.stop()
        self._witness.__exit__(*error)

    def answers(self):
        """(client, its port, the SYN that is answered, node) of every SYN-ACK."""
        for port, frame in self._witness.frames:
            packet = tcp_of(frame) if len(frame) >= 54 else None
            if packet is not None and packet[1] & (SYN | ACK) == SYN | ACK and packet[0][2] in self.owners:
                yield packet[0][2], packet[0][3], _echoed(frame), port

    def answered_twice(self):
        """SYNs that more than one node answered, as (client, port, stamp) -> nodes."""
        nodes = {}
        for client, port, stamp, node in self.answers():
            nodes.setdefault((client, port, stamp), set()).add(node)
        return {request: names for request, names in nodes.items() if len(names) > 1}

    def histories(self):
        """client -> the nodes that answered it, in the order of its SYNs, one entry for each change."""
        answered = {}
        for client, _, stamp, node in self.answers():
            answered.setdefault(client, []).append((stamp, node))
        return {client: [node for node, _ in itertools.groupby(node for _, node in sorted(found))]
                for client, found in answered.items()}

    def moved(self):
        """How many clients have been answered by more than one node."""
        return sum(len(history) > 1 for history in self.histories().values())

    def check_none_twice(self):
        if double := self.answered_twice():
            raise TwoOwners(f"{len(double)} SYNs answered by two nodes, {next(iter(double.items()))}")

    def check_one_owner(self, changes):
        self.check_none_twice()
        for client, history in self.histories().items():
            check(len(history) <= changes + 1, f"{client} was answered by {history} in turn")

    def check_served(self, lost=()):
        """Clients of all nodes but these have noticed nothing, each by who owned it in the beginning."""
        concerned = [attempt for attempt in self.attempts if self.owners[attempt.flow.source] not in lost]
        failed = [attempt for attempt in concerned if attempt.answer is None]
        check(len(concerned) > 3, "too few requests to say anything")
        check(not failed, f"{len(failed)} of {len(concerned)} requests failed: {failed[:3]}")
        kept = {flow: owner for flow, owner in self.held.owners.items() if owner not in lost}
        broken = {flow: self.held.broken[flow] for flow in kept if flow in self.held.broken}
        check(not broken, f"{len(broken)} of {len(kept)} connections broke: {list(broken.items())[:3]}")
        self._witness.check_undisturbed(kept)
