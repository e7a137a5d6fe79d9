# SPDX-License-Identifier: Apache-2.0
"""A look at the listeners asks what clients use. A service that listens on one of the rule's virtual IPs alone has its node passed
over; so has a node on which no process but the agent listens on a port of a rule that covers all of them.

    client --- bridge --- web1, web2 (IPv4 alone; then nothing), web3
"""

import subprocess
import sys

import flows
import netns
import services
from harness import VIP4, VIP6, Cluster, check, main

ANY = """
[[rule]]
name = "shop"
protocol = "tcp"
ports = "any"
affinity = "none"
"""


def check_others_serve(cluster, port, why):
    cluster.wait_until(lambda: services.shown(cluster, 2)["health"]["reason"] == why, f"web2 says: {why}")
    for address in (VIP4, VIP6):
        answered = cluster.wait_until(
            lambda: None not in (names := set(flows.ask_tcp(cluster.client, flows.many(120, address, port)).values())) and names,
            "all are answered")
        check(answered == {"web1", "web3"}, f"{address} is answered by {answered}")


def one_family(cluster):
    services.Services(cluster, nodes=[1, 3])
    cluster.servers["one family"] = service = subprocess.Popen(
        netns.command(cluster.namespace(2), [sys.executable, services.__file__.replace("services.py", "echo_server.py"), "web2",
                                             VIP4, services.PORT]),
        stdout=subprocess.PIPE, text=True, preexec_fn=netns.die_with_parent)
    check(service.stdout.readline() == "ready\n", "the service of web2 does not start")
    cluster.start_all()
    cluster.wait_active([1, 2, 3])
    check_others_serve(cluster, services.PORT, f"no process listens on port {services.PORT} of {VIP6}")


def test():
    with Cluster(nodes=3, rules=services.rule()) as cluster:
        one_family(cluster)
    with Cluster(nodes=3, rules=ANY, extra='\n[metrics]\nlisten = "0.0.0.0:9777"\n') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        cluster.kill_server(2)
        check_others_serve(cluster, 7001, "no process listens on any port")


main(test)
