# SPDX-License-Identifier: Apache-2.0
"""What no rule covers goes to the lowest living id, whole: TCP, UDP, closed ports, and each ICMP echo exactly once.

    client --- bridge --- web1, web2, web3 (weight 0)
"""

import echoes
import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp, spread
from witness import ACK, RST, Witness

RULES = """
[[rule]]
name = "http"
protocol = "tcp"
ports = "7001"
virtual_ips = ["192.0.2.100"]
"""


def refused(cluster, asked):
    """The names of those who reset connections to closed ports."""
    with Witness(cluster.switch) as seen:
        flows.ask_tcp(cluster.client, asked)
    resets = seen.tcp_answers(RST | ACK, RST | ACK)
    for flow in asked:
        key = (flow.destination, flow.dport, flow.source, flow.sport)
        check(key in resets, f"{flow}: nobody says that the port is closed")
    return set().union(*resets.values()) - {"client"}


def check_host(cluster, host, number):
    for address in (VIP4, VIP6):
        for port in (7001, 7002)[address == VIP4:]:  # the rule is for one virtual IP
            check(set(spread(check_tcp(cluster, flows.many(100, address, port)))) == {host}, f"TCP {port} not {host}'s")
        check(set(spread(check_udp(cluster, flows.many(100, address, 7001)))) == {host}, f"UDP not {host}'s")
        check(refused(cluster, flows.many(20, address, 9)) == {host}, "a closed port is answered by others")
        source = flows.source6 if ":" in address else flows.source4
        answers = echoes.ask(cluster, [source(i << 8 | 7) for i in range(1, 40)], address, number)
        wrong = {client: ports for client, ports in answers.items() if ports != [host]}
        check(not wrong, f"echo requests to {address}, which {host} has to answer once: {wrong}")
    check(len(spread(check_tcp(cluster, flows.many(100, VIP4, 7001)))) == len(cluster.serving), "the rule is not shared")


def test():
    with Cluster(nodes=3, rules=RULES, weights={3: 0}) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        cluster.serving = [1, 2]
        check_host(cluster, "web1", 1)
        explained = cluster.nlbctl("explain", "udp", "198.18.0.1:5", f"{VIP4}:7001", node=3).stdout
        check("web1" in explained, f"explain does not name the default host: {explained}")

        cluster.nlbctl("stop", node=1)
        cluster.wait_active([2, 3])
        cluster.serving = [2]
        check_host(cluster, "web2", 2)  # web3 has a lower claim, and no weight

        cluster.nlbctl("start", node=1)
        cluster.wait_active([1, 2, 3])
        cluster.serving = [1, 2]
        check_host(cluster, "web1", 3)


main(test)
