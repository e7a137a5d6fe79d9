# SPDX-License-Identifier: Apache-2.0
"""A node's own connection to a virtual IP is served by itself, whatever it is in the cluster, as long as it has the IP.

    client --- bridge --- web1, web2, web3 (each a client as well)

What a host sends to an address of its own goes over lo, and meets neither the filter nor another node. When the agent
ends, the address goes, and the host is a client like any other.
"""

import socket

import netns
from harness import SERVICE_PORTS, VIP4, VIP6, Cluster, check, main


def asked_by(cluster, node, address, port):
    """The name of the node that answers the node itself; None: no node."""
    with netns.inside(cluster.namespace(node)):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(10)
    try:
        made.connect((address, port))
        return made.recv(100).decode().strip()
    except OSError:
        return None
    finally:
        made.close()


def check_serves_itself(cluster, nodes, when):
    for node in nodes:
        for address in (VIP4, VIP6):
            for port in SERVICE_PORTS:
                answer = asked_by(cluster, node, address, port)
                check(answer == f"web{node}", f"{when}: web{node} asks {address} {port} and is answered by {answer}")


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check_serves_itself(cluster, [1, 2, 3], "all active")
        for source, own in (("192.0.2.1", True), ("192.0.2.2", False)):
            told = cluster.nlbctl("explain", "tcp", f"{source}:1000", f"{VIP4}:7001", node=1).stdout
            check(("from an address of this host" in told) is own, f"explain of {source} on web1: {told}")
        cluster.nlbctl("stop", node=3)
        cluster.wait_active([1, 2])
        check_serves_itself(cluster, [1, 2, 3], "web3 stopped")
        check(cluster.status(1)["members"][2]["share"] == 0 == cluster.status(3)["members"][2]["share"],
              "who is stopped has a share")
        cluster.nlbctl("start", node=3)
        cluster.wait_active([1, 2, 3])
        cluster.kill(3)
        cluster.wait_active([1, 2])
        check_serves_itself(cluster, [1, 2, 3], "the agent of web3 killed")
        cluster.start(3)
        cluster.wait_active([1, 2, 3])
        cluster.terminate(3)
        cluster.wait_active([1, 2])
        for address in (VIP4, VIP6):
            answers = {asked_by(cluster, 3, address, port) for port in SERVICE_PORTS}
            check(answers <= {"web1", "web2"}, f"without an agent web3 is a client, but is answered by {answers}")


main(test)
