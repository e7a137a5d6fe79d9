# SPDX-License-Identifier: Apache-2.0
"""The port for commands under attack: nothing gets in, everything is counted, no beat is late, commands still travel.

    client (attacker) --- bridge --- web1 (attacked), web2, web3
"""

import socket
import threading
import time

import flows
import netns
from harness import VIP4, Cluster, check, main
from owners import check_tcp
from witness import watcher

PORT = 7778
SECONDS = 8


class Attack(threading.Thread):
    """Scans, garbage and connections that dawdle, as fast as one thread can, for some seconds."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.client, self.made, self.stopping = cluster.client, 0, threading.Event()

    def run(self):
        with netns.inside(self.client):
            held, end = [], time.monotonic() + SECONDS
            while time.monotonic() < end and not self.stopping.is_set():
                made = socket.socket()
                made.setblocking(False)
                made.connect_ex(("192.0.2.1", PORT))
                held.append(made)
                self.made += 1
                if len(held) > 300:
                    self._speak(held.pop(0))
            for made in held:
                self._speak(made)

    def _speak(self, made):
        kind = self.made % 3
        try:
            if kind == 1:
                made.send(b"GET / HTTP/1.1\r\n\r\n" + bytes(100))
            elif kind == 2:
                made.send(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL" + bytes(16))
        except OSError:
            pass
        made.close()


def refused(cluster):
    counters = cluster.status(1)["commands"]
    return {kind: counters[kind] for kind in ("wrong_key", "cut_off", "not_zeromq", "not_expected", "held_off")}


def connect(cluster, words=b"", seconds=0.0):
    with netns.inside(cluster.client):
        with socket.create_connection(("192.0.2.1", PORT), timeout=5) as made:
            made.sendall(words)
            time.sleep(seconds)


def check_each_kind_is_counted(cluster):
    for kind, words in (("cut_off", b""), ("not_zeromq", b"GET / HTTP/1.1\r\n\r\n" + bytes(64)),
                        ("wrong_key", b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL" + bytes(16 + 32))):
        before = refused(cluster)[kind]
        connect(cluster, words, 0.2)
        cluster.wait_until(lambda: refused(cluster)[kind] == before + 1, f"a connection is counted as {kind}")


def check_stays_on_the_segment(cluster):
    wire = watcher(cluster.switch, "web1")
    connect(cluster)
    for _ in range(1000):
        frame = wire.recv(2048)
        if frame[12:14] == b"\x08\0" and frame[23] == socket.IPPROTO_TCP and frame[34:36] == PORT.to_bytes(2, "big"):
            check(frame[22] == 1, f"an answer of the port for commands has TTL {frame[22]}")
            return
    check(False, "no answer of the port for commands on the wire")


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check_each_kind_is_counted(cluster)
        check_stays_on_the_segment(cluster)

        before, life = refused(cluster), cluster.status(1)["view"]
        attack = Attack(cluster)
        attack.start()
        while attack.is_alive():
            check(cluster.members(cluster.status(2)) == [1, 2, 3], "the attacked node has been missed")
            time.sleep(0.2)
        attack.join()
        after = refused(cluster)
        print(f"{attack.made} connections tried, counted: {after}")
        check(sum(after.values()) - sum(before.values()) >= attack.made * 0.5, "not counted")
        check(cluster.status(1)["view"] == life, "the attack has changed the view")
        check("fenced" not in cluster.log(1), "the attack has cost a lease")
        check(cluster.log(1).count("\n") < 100, "the agent logs what strangers do")
        cluster.nlbctl("weight", "web1", 50, node=2)
        cluster.nlbctl("weight", "web1", "default", node=3)
        cluster.wait_active([1, 2, 3])
        check_tcp(cluster, flows.many(300, VIP4, 7001))

        # An agent ends under attack as it does without.
        attack = Attack(cluster)
        attack.start()
        time.sleep(1)
        check(cluster.terminate(1) == 0, "SIGTERM under attack did not end in exit code 0")
        attack.stopping.set()
        attack.join()


main(test)
