# SPDX-License-Identifier: Apache-2.0
"""A heartbeat interface is removed, as a VLAN or a bond is: its node serves nothing and says why. When there is one of that
name again, beats and commands use it, without a restart.

    client --- bridge0 --- web1, web2, web3
    bridge1 --- web1, web2 (its eth1 is removed and made anew), web3
"""

import json

import flows
import netns
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


def remove(cluster, node):
    """Its MAC address: as of a VLAN, whose is its parent's, it stays (and with it the others' ARP entries are right)."""
    shown = json.loads(netns.run(cluster.namespace(node), "ip", "-json", "link", "show", "eth1").stdout)
    netns.ip(cluster.switch, f"link delete hb{node}")
    return shown[0]["address"]


def plug(cluster, node, mac):
    cluster._plug(cluster.namespace(node), "eth1", f"hb{node}", "bridge1")
    netns.ip(cluster.namespace(node), f"""
        link set eth1 address {mac}
        address add 198.51.100.{node}/24 dev eth1
        link set eth1 up""")


def problems(cluster, node):
    return [problem["name"] for problem in cluster.status(node)["problems"]]


def test():
    with Cluster(nodes=3, heartbeat_network=True) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for _ in range(2):
            mac = remove(cluster, 2)
            cluster.wait_until(lambda: cluster.status(2)["state"] != "active", "web2 stops serving")
            status = cluster.status(2)
            check(status["reason"].startswith("no beats can be sent: eth1 does not exist"), f"its reason: {status['reason']}")
            cluster.wait_active([1, 3])
            check_shares(check_tcp(cluster, flows.many(500, VIP4, 7001)), nodes=2)

            plug(cluster, 2, mac)
            cluster.wait_active([1, 2, 3])
            check_shares(check_tcp(cluster, flows.many(500, VIP4, 7001)), nodes=3)
            check(problems(cluster, 2) == [], "the problem stays")
            cluster.wait_until(lambda: cluster.nlbctl("weight", "web2", "50", node=1, check_exit=False).returncode == 0,
                               "a command gets to web2")
            cluster.nlbctl("weight", "web2", "default", node=3)
            cluster.nlbctl("weight", "web1", "default", node=2)

    # With another interface it goes on, and says that one is missing.
    with Cluster(nodes=2, heartbeat_network=True, heartbeat='interfaces = ["eth1", "eth0"]') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        mac = remove(cluster, 2)
        cluster.wait_until(lambda: problems(cluster, 2) == ["heartbeat_interface_unusable"], "web2 says what is missing")
        cluster.wait_active([1, 2])
        plug(cluster, 2, mac)
        cluster.wait_until(lambda: problems(cluster, 2) == [], "all is well again")


main(test)
