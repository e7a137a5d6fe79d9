# SPDX-License-Identifier: Apache-2.0
"""Packets come faster than a pcap node can judge them: what it has no room for is dropped and counted as just that. Its
beats take another way: no node misses one, and it serves on afterwards.

    client (flood) --- bridge --- web1 (pcap; its packets' thread gets what the others leave), web2
"""

import json
import re
import socket

import flows
import netns
import starving
from harness import VIP4, Cluster, check, main
from owners import check_tcp

BURST = 5000       # more frames than the ring has room for
MOST_BURSTS = 40


def flood(cluster, datagrams):
    with netns.inside(cluster.client):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        for _ in range(datagrams):
            sender.sendto(b"flood", (VIP4, 7001))


def not_judged(cluster):
    return cluster.status(1)["counters"]["capture_full"]


def events(cluster, node):
    return [event["text"] for event in json.loads(cluster.nlbctl("--json", "events", node=node).stdout)]


def test():
    with Cluster(nodes=2, heartbeat="dead_after_ms = 2000", cluster='datapath = "pcap"') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        check_tcp(cluster, flows.many(60, VIP4, 7001))  # the client knows the MAC address
        check(not_judged(cluster) == 0, "frames were lost before there was a flood")
        before = {node: cluster.status(node) for node in cluster.ids}
        told = {node: events(cluster, node) for node in cluster.ids}
        with starving.packets_thread(cluster.agents[1]):
            for _ in range(MOST_BURSTS):
                flood(cluster, BURST)
                if not_judged(cluster) > BURST:
                    break
            cluster.wait_until(lambda: all(
                cluster.status(node)["beats"]["received"] > before[node]["beats"]["received"] + 40
                for node in cluster.ids), "beats go on")
        lost = not_judged(cluster)
        check(lost > BURST, f"{lost} frames lost in {MOST_BURSTS} bursts of {BURST}: that was no flood")
        shown = re.search(r"other drops .*capture_full (\d+)", cluster.nlbctl("status", node=1).stdout)
        check(shown and int(shown[1]) >= lost, "status does not show them")
        cluster.wait_until(lambda: "packets: dropped (reason=capture_full" in cluster.log(1), "the log tells of them")
        for node in cluster.ids:
            check(cluster.status(node)["view"] == before[node]["view"], f"the view of web{node} has changed")
            check(events(cluster, node) == told[node], f"web{node}: {events(cluster, node)}")
        check_tcp(cluster, flows.many(300, VIP4, 7001, seed=2))
        print(f"{lost} frames were dropped and counted")


main(test)
