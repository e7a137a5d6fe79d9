# SPDX-License-Identifier: Apache-2.0
"""A node that hears no other serves only while its witness answers, by ARP or by neighbour discovery.

    client --- bridge0 --- web1, web2, gateway    web3 is cut off: silent.
                                                  web1 and web2 die: web3 is left and serves, as long as the gateway answers.
                                                  Without the gateway: together they serve, alone they do not.
"""

import netns
from harness import Cluster, check, main
from watched import Watched

REASON = "alone, and the witness {} does not answer"


def silent(cluster, witness):
    status = cluster.status(3)
    return status["state"] != "active" and status["reason"].endswith(REASON.format(witness))


def cut_off(cluster, port):
    """Its link stays."""
    netns.ip(cluster.switch, f"link set {port} nomaster")


def connect(cluster, port):
    netns.ip(cluster.switch, f"link set {port} master bridge0")


def test():
    for width in (4, 6):
        witness = {4: "192.0.2.250", 6: "2001:db8::250"}[width]
        with Cluster(nodes=3, heartbeat=f'witness = "{witness}"') as cluster:
            gateway = cluster.add_host("gateway")
            prefix = {4: 24, 6: 64}[width]
            netns.ip(gateway, f"address add {witness}/{prefix} dev eth0" + (" nodad" if width == 6 else ""))
            cluster.start_all()
            cluster.wait_active([1, 2, 3])

            with Watched(cluster) as watch:
                cut_off(cluster, "web3")
                cluster.wait_active([1, 2])
                cluster.wait_until(lambda: silent(cluster, witness), "web3, cut off, serves no more and says why")
                cluster.wait_until(lambda: watch.moved() > 30, "its clients are answered by the others")
                connect(cluster, "web3")
                cluster.wait_active([1, 2, 3])
            watch.check_one_owner(changes=2)

            cluster.crash(1)
            cluster.crash(2)
            cluster.wait_active([3])
            with Watched(cluster) as watch:
                pass
            watch.check_one_owner(changes=0)
            check(set(sum(watch.histories().values(), [])) == {"web3"}, "a dead node answers")

            # Nodes that hear each other need no witness: not to begin, nor after an outage of all links.
            cut_off(cluster, "gateway")
            for node in (1, 2):
                cluster.revive(node)
            cluster.wait_active([1, 2, 3])
            for port in ("web1", "web2", "web3"):
                cut_off(cluster, port)
            cluster.wait_until(lambda: all(cluster.status(node)["state"] == "fenced" for node in cluster.ids), "all fenced")
            for port in ("web1", "web2", "web3"):
                connect(cluster, port)
            cluster.wait_active([1, 2, 3])
            cluster.crash(1)
            cluster.crash(2)

            cluster.wait_until(lambda: silent(cluster, witness), "web3, without a witness, serves no more and says why")
            connect(cluster, "gateway")
            cluster.wait_active([3])
            check("stays outside (alone, and the witness" in cluster.log(3), "the log does not say why web3 is silent")
            counters = cluster.status(3)["witness"]
            check(counters["address"] == witness and 0 < counters["answered"] <= counters["asked"] and
                  counters["malformed"] == 0, f"odd counters: {counters}")


main(test)
