# SPDX-License-Identifier: Apache-2.0
"""The SYN-ACK is lost and the bucket moves: now both nodes have a half-open connection, and one knows the client's ACK.

    client --- bridge --- web1 (its SYN-ACKs are lost), web2 (takes the buckets)

The other one's stack would answer that ACK with a reset.
"""

import json

import flows
import netns
from configuration import RULES
from harness import VIP4, Cluster, check, main
from owners import expected
from pairs import PORT, RULE, Pairs, says
from witness import RST, SYN, Witness


def test():
    with Cluster(nodes=2, rules=RULES + RULE) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        asked = flows.many(60, VIP4, PORT)
        moving = [flow for flow, owner in expected(cluster, "tcp", asked).items() if owner == "web2"]
        cluster.nlbctl("stop", node=2)
        cluster.wait_active([1])
        pairs = Pairs(cluster)
        # Lost on the way, and not at web1: a SYN-ACK that cannot even be sent is not tried again.
        web1 = json.loads(netns.run(cluster.namespace(1), "ip", "-json", "link", "show", "eth0").stdout)[0]["address"]
        netns.run(cluster.client, "nft", "add table inet lose; add chain inet lose in "
                  "{ type filter hook prerouting priority 0; }; "
                  f"add rule inet lose in ether saddr {web1} tcp flags & (syn|ack) == (syn|ack) drop")
        with Witness(cluster.switch) as seen:
            begun = {flow: pairs.begin(flow) for flow in moving}
            cluster.wait_until(lambda: _half_open(cluster) >= len(moving), "web1 has the half-open connections")
            cluster.nlbctl("start", node=2)
            cluster.wait_active([1, 2])
            made = []
            for _ in moving:  # in any order
                made.append(pairs.accept(begun))
            check({pair.node for pair in made} == {2}, "a bucket that has moved was served by its old owner")
            for pair in made:
                check(says(pair.client, pair.server, b"hello"), "a connection stalls")
                check(says(pair.server, pair.client, b"hello"), "a connection stalls")
            check(_half_open(cluster) > 0, "web1 has no half-open connection any more: nothing was tried")
        check(not seen.tcp_answers(RST, RST), "somebody has sent a reset")
        check(seen.tcp_answers(SYN, SYN), "no SYN was seen")


def _half_open(cluster):
    return netns.run(cluster.namespace(1), "ss", "-Htn", "state", "syn-recv").stdout.count(f":{PORT}")


main(test)
