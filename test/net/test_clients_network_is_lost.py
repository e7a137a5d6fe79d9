# SPDX-License-Identifier: Apache-2.0
"""A node that is cut off from the clients, but hears the others on a second heartbeat interface, gives its buckets away, says
why, and comes back: when its link there is lost, at once; when the path is dead though the link is up, in one direction or in
both, after one and a half times dead_after. Where no node hears any other on the clients' network, all stay.

    client --- bridge0 --- web1, web2 (cut off), web3      clients and beats (eth0)
    bridge1 --- web1, web2, web3                           beats (eth1)
"""

import time

import flows
import netns
from cuts import cut, mend
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp

ALL = ["web1", "web2", "web3"]


def problems(status):
    return [problem["name"] for problem in status["problems"]]


def check_gone(cluster, name, why):
    status = cluster.wait_until(lambda: (shown := cluster.status(2))["state"] == "stopped" and shown, f"web2 leaves: {why}")
    check(name in problems(status) and status["reason"].startswith(f"no client is reached: {why}"), f"it says {status}")
    cluster.wait_active([1, 3])
    check_shares(check_tcp(cluster, flows.many(500, VIP4, 7001)), nodes=2)


def check_back(cluster):
    cluster.wait_active([1, 2, 3])
    check_shares(check_tcp(cluster, flows.many(500, VIP4, 7001)), nodes=3)
    check(problems(cluster.status(2)) == [], "the problem stays")


def test():
    with Cluster(nodes=3, heartbeat_network=True, heartbeat='interfaces = ["eth1", "eth0"]') as cluster:
        cluster.start_all()
        check_back(cluster)

        netns.ip(cluster.switch, "link set web2 down")
        check_gone(cluster, "clients_link_lost", "eth0 has no link")
        netns.ip(cluster.switch, "link set web2 up")
        check_back(cluster)

        netns.ip(cluster.switch, "link set web2 nomaster")
        check_gone(cluster, "clients_path_dead", "on eth0 this node hears no other, though web1 hears web3 there")
        netns.ip(cluster.switch, "link set web2 master bridge0")
        check_back(cluster)

        cut(cluster, ["web2"], ["web1", "web3"])
        check_gone(cluster, "clients_path_dead", "on eth0 no other hears this node, though web1 hears web3 there")
        mend(cluster)
        check_back(cluster)

        cut(cluster, ALL, ALL)
        time.sleep(2)  # four times dead_after, in which nothing is to happen
        check_back(cluster)
        mend(cluster)

        for port in ("web2", "hb2"):
            netns.ip(cluster.switch, f"link set {port} nomaster")
        cluster.wait_until(lambda: problems(cluster.status(2)) == ["peers_lost_together"],
                           "web2, which hears nobody any more, says that the others fell silent in the same moment")
        cluster.split_serves = True


main(test)
