# SPDX-License-Identifier: Apache-2.0
"""The reading commands agree with each other, and counters count.

    client --- bridge --- web1, web2
"""

import json

import flows
from configuration import DATAPATH
from harness import VIP4, Cluster, check, main
from owners import check_tcp

KEYS = {"cluster", "node", "state", "view", "datapath", "members", "rules", "counters"}


def test():
    with Cluster(nodes=2) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        status = cluster.status(1)
        check(KEYS <= set(status), f"status lacks {KEYS - set(status)}")
        check(status["cluster"] == "web" and status["node"]["id"] == 1, "status names another cluster or node")
        kind, mode = {"pcap": ("pcap", "tap"), "xdp": ("xdp", "generic")}.get(DATAPATH, ("tc", "clsact"))
        check(status["datapath"] == {"kind": kind, "mode": mode, "interface": "eth0", "memory_put_back": 0},
              f"datapath: {status['datapath']}")
        check(abs(sum(member["share"] for member in status["members"]) - 1) < 0.01, "shares do not add up to one")
        both = [{rule["name"]: rule["buckets"] for rule in cluster.status(node)["rules"]} for node in (1, 2)]
        for rule in both[0]:
            check(both[0][rule] + both[1][rule] == 65536, f"{rule}: the nodes' buckets do not add up: {both}")

        for noun in ("members", "rules", "counters"):
            found = json.loads(cluster.nlbctl("--json", noun, node=1).stdout)
            found = found.get(noun, found) if isinstance(found, dict) else found
            check(len(found) == len(status[noun]), f"{noun} and status disagree")
            check(cluster.nlbctl(noun, node=1).stdout.strip(), f"{noun}: nothing to read")
        check("web2" in cluster.nlbctl("status", node=1).stdout, "status for people does not name the members")

        counted = status["counters"]
        asked = flows.many(200, VIP4, 7001)
        check_tcp(cluster, asked)
        now = cluster.status(1)["counters"]
        check(now["accepted"] > counted["accepted"], "accepted packets are not counted")
        # A node that was alone before still looks for connections in what it gave up: other reasons, the same fate.
        dropped = [sum(at[reason] for reason in ("foreign", "lingering_syn", "lingering_no_socket"))
                   for at in (counted, now)]
        check(dropped[1] > dropped[0], "packets of the other node's flows are not counted")


main(test)
