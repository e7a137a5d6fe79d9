# SPDX-License-Identifier: Apache-2.0
"""A host without the key floods the segment: each agent turns no oftener than a thousand times a second, and all are served.

    client (also the attacker) --- bridge --- web1, web2, web3

Questions by ARP and by neighbour discovery for the virtual IPs, a beat that was changed, and one that is repeated. A turn is what
costs, at real-time priority: one for each frame would take a processor from the services. Counted are the agent's sleeps.
"""

import multiprocessing
import os
import socket
import struct
import time

import flows
import netns
from harness import PORT, VIP4, VIP6, Cluster, check, main

SECONDS = 3
PER_SECOND = 20_000
SLEEPS = 2  # of a turn: the rest before it, and the wait for news
TURNS = 1000
MORE = 200  # turns at once, in the beginning, and the process's other wakes
SOURCE = bytes.fromhex("020000000077")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def arp_question():
    return (b"\xff" * 6 + SOURCE + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + SOURCE
            + socket.inet_aton("192.0.2.77") + bytes(6) + socket.inet_aton(VIP4))


def neighbour_solicitation():
    target, source = socket.inet_pton(socket.AF_INET6, VIP6), socket.inet_pton(socket.AF_INET6, "fe80::77")
    group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + target[13:]
    rest = target + b"\x01\x01" + SOURCE
    pseudo = source + group + struct.pack("!II", 8 + len(rest), 58)
    message = struct.pack("!BBHI", 135, 0, checksum(pseudo + struct.pack("!BBHI", 135, 0, 0, 0) + rest), 0) + rest
    return (b"\x33\x33" + group[12:] + SOURCE + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(message), 58, 255)
            + source + group + message)


def beat(cluster):
    """A frame with one, as it comes to the client."""
    with netns.inside(cluster.client):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        wire.bind(("eth0", 0))
        netns.run(cluster.client, "ip", "link", "set", "eth0", "allmulticast", "on")
    wire.settimeout(10)
    while True:
        frame = wire.recv(2048)
        if frame[23] == socket.IPPROTO_UDP and int.from_bytes(frame[36:38], "big") == PORT:
            return frame


def changed(frame):
    without_checksum = frame[:40] + b"\0\0" + frame[42:-1]
    return without_checksum + bytes([frame[-1] ^ 1])


def flood(namespace, frame, sent):
    netns.die_with_parent()
    with netns.inside(namespace):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", 0))
    begun = time.monotonic()
    while (now := time.monotonic()) < begun + SECONDS:
        for _ in range(min(100, int((now - begun) * PER_SECOND) - sent.value)):
            try:
                wire.send(frame)
            except OSError:
                pass
            sent.value += 1


def sleeps(agent):
    with open(f"/proc/{agent.pid}/task/{agent.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))


def check_flood(cluster, name, frame):
    view, sent = cluster.status(1)["view"], multiprocessing.Value("i", 0)
    attacker = multiprocessing.Process(target=flood, args=(cluster.client, frame, sent), daemon=True)
    before, begun = {node: sleeps(agent) for node, agent in cluster.agents.items()}, time.monotonic()
    attacker.start()
    answers = flows.ask_tcp(cluster.client, flows.many(60, VIP4, 7001, seed=len(name)), timeout=5.0)
    attacker.join(60)
    took = time.monotonic() - begun
    slept = {node: (sleeps(agent) - before[node]) / took for node, agent in cluster.agents.items()}
    print(f"{name}: {sent.value / took:.0f} a second; sleeps a second: " + ", ".join(f"{n:.0f}" for n in slept.values()))
    check(not any(answer in (None, flows.REFUSED) for answer in answers.values()), f"{name}: clients are not answered")
    check(max(slept.values()) < SLEEPS * (TURNS + MORE), f"{name}: an agent turns for each frame: {slept}")
    check(cluster.status(1)["view"] == view, f"{name}: the view has changed: {cluster.log(1)}")


def test():
    with Cluster() as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        real = beat(cluster)
        for name, frame in (("ARP", arp_question()), ("neighbour discovery", neighbour_solicitation()),
                            ("beats changed", changed(real)), ("beats repeated", real)):
            check_flood(cluster, name, frame)
        for node in cluster.ids:
            check("fenced" not in cluster.log(node), cluster.log(node))


main(test)
