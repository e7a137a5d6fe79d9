# SPDX-License-Identifier: Apache-2.0
"""Long-lived TCP connections: many clients that stay, and what becomes of their connections.

    held = connections.Held(cluster.client, flows.many(300, VIP4, 7002))   # all connected, each knows who answered
    held.talk()          # every one sends a line and gets it back
    held.close()
    with Talking(held): ...                                      # they talk all the time

A connection is broken when it was reset, ended, or stayed silent for `patience` seconds; talk() says which were.
"""

import select
import socket
import threading
import time

import flows
import netns
from harness import PATIENCE, check


class Held:
    def __init__(self, client, asked, patience=20.0 * PATIENCE):
        self.owners, self.broken = {}, {}  # flow -> the server's name; flow -> what happened
        self._patience, self._round = patience, 0
        with netns.inside(client):
            self._sockets = {flow: flows.open_socket(flow, socket.SOCK_STREAM) for flow in asked}
        for flow, answer in self._collect({flow: b"\n" for flow in asked}).items():
            self.owners[flow] = answer.decode().strip()
        check(not self.broken, f"{len(self.broken)} connections did not come about: {list(self.broken.items())[:3]}")

    def __len__(self):
        return len(self._sockets)

    def of(self, name):
        """The flows whose server is this node's."""
        return [flow for flow, owner in self.owners.items() if owner == name and flow in self._sockets]

    def talk(self, asked=None):
        """One line there and back on each of these connections, by default on all; flow -> how it broke."""
        self._round += 1
        before = set(self.broken)
        asked = [flow for flow in (self._sockets if asked is None else asked) if flow not in self.broken]
        line = f"round {self._round}\n".encode()
        for flow in asked:
            try:
                self._sockets[flow].send(line)
            except OSError as error:
                self.broken[flow] = str(error)
        got = self._collect({flow: line for flow in asked if flow not in self.broken})
        for flow, answer in got.items():
            if answer != line:
                self.broken[flow] = f"another answer: {answer!r}"
        return {flow: how for flow, how in self.broken.items() if flow not in before}

    def half_close(self, asked):
        """Ends the client's direction; the server closes the other one, and every connection must end orderly."""
        for flow in asked:
            self._sockets[flow].shutdown(socket.SHUT_WR)

    def close(self, asked=None):
        """Ends these connections, by default all, in an orderly way: the client first."""
        for flow in list(self._sockets if asked is None else asked):
            made = self._sockets.pop(flow)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\0\0\0\0\0\0\0\0")
            made.close()

    def _collect(self, wanted):
        """flow -> what came, up to and with the end of what is wanted from it."""
        got = {flow: b"" for flow in wanted}
        poll = select.epoll()
        waiting = {}
        for flow in wanted:
            waiting[self._sockets[flow].fileno()] = flow
            poll.register(self._sockets[flow].fileno(), select.EPOLLIN)
        end = time.monotonic() + self._patience
        while waiting and time.monotonic() < end:
            for descriptor, _ in poll.poll(0.1):
                flow = waiting[descriptor]
                try:
                    data = self._sockets[flow].recv(4096)
                except OSError as error:
                    data, self.broken[flow] = b"", str(error)
                got[flow] += data
                if not data or got[flow].endswith(wanted[flow]):
                    if not data:
                        self.broken.setdefault(flow, "ended by the server")
                    poll.unregister(descriptor)
                    del waiting[descriptor]
        for flow in waiting.values():
            self.broken[flow] = "silence"
        return {flow: text for flow, text in got.items() if flow not in self.broken}


class Talking(threading.Thread):
    """Every connection talks again and again while this goes on; afterwards held.broken says which broke, and how."""

    def __init__(self, held, pause=0.1):
        super().__init__(daemon=True)
        self._held, self._pause = held, pause
        self._stopping = threading.Event()
        self._error = None
        self.rounds = 0

    def run(self):
        try:
            while not self._stopping.wait(self._pause) or self.rounds < 2:
                self._held.talk()
                self.rounds += 1
        except Exception as error:  # shown at the end: a thread's exception is lost otherwise
            self._error = error

    def goes_on(self, cluster, rounds=2):
        """Waits until every connection has talked so many times from now on."""
        wanted = self.rounds + rounds
        cluster.wait_until(lambda: self.rounds >= wanted, "all connections have talked since")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.join(120)
        if self._error is not None:
            raise self._error
