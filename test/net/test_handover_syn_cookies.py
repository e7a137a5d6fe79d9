# SPDX-License-Identifier: Apache-2.0
"""Under SYN cookies the server keeps nothing of a handshake: its final ACK arrives after the bucket has moved.

    client (its ACKs are held back) --- bridge --- web1 (SYN cookies), web2 (takes the buckets)

The cookie in the ACK is web1's memory: it counts as a socket there, and not at web2.
"""

import flows
import netns
from configuration import RULES
from harness import VIP4, Cluster, check, main
from owners import expected
from pairs import PORT, RULE, Pairs, says
from witness import RST, Witness


def test():
    with Cluster(nodes=2, rules=RULES + RULE) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        asked = flows.many(60, VIP4, PORT)
        moving = [flow for flow, owner in expected(cluster, "tcp", asked).items() if owner == "web2"]
        cluster.nlbctl("stop", node=2)
        cluster.wait_active([1])
        pairs = Pairs(cluster)
        for node in cluster.ids:
            netns.sysctl(cluster.namespace(node), "net.ipv4.tcp_syncookies", 2)
        netns.run(cluster.client, "nft", "add table inet hold; add chain inet hold out "
                  "{ type filter hook output priority 0; }; "
                  f"add rule inet hold out tcp dport {PORT} tcp flags & (syn|ack) == ack drop")
        with Witness(cluster.switch) as seen:
            begun = {flow: pairs.begin(flow) for flow in moving}
            cluster.wait_until(lambda: _connected(cluster) == len(moving), "the clients have their SYN-ACKs")
            for made in begun.values():
                made.send(b"hello")  # sent again and again, so that the ACK is
            cluster.nlbctl("start", node=2)
            cluster.wait_active([1, 2])
            netns.run(cluster.client, "nft", "delete table inet hold")
            made = [pairs.accept(begun) for _ in moving]
            check({pair.node for pair in made} == {1}, "a cookie was taken by a node that has not made it")
            for pair in made:
                check(says(pair.server, pair.client, b"hello"), "a connection stalls")
        check(not seen.tcp_answers(RST, RST), "somebody has sent a reset")


def _connected(cluster):
    return netns.run(cluster.client, "ss", "-Htn", "state", "established").stdout.count(f":{PORT}")


main(test)
