# SPDX-License-Identifier: Apache-2.0
"""An administrator deletes what the pcap datapath has put into the host: it is noticed, put back and logged, and meanwhile the
node is silent, not open.

    client --- bridge --- web1, web2 (loses things), web3
"""

import os

import flows
import netns
import snapshot
from harness import VIP4, VIP6, Cluster, check, check_one_owner, main
from owners import check_shares, check_tcp, check_udp
from witness import ACK, RST, SYN, Witness

LOSSES = {
    "the nftables table": "nft delete table netdev nlbd-eth0",
    "the chain's rules": "nft flush chain netdev nlbd-eth0 originals",
    "the TAP device": "ip link delete nlb-eth0",
    "the TAP device is down": "ip link set nlb-eth0 down",
}


def ask_meanwhile(cluster, namespace, command):
    """Only the owner answers, before, while and after something is lost."""
    asked = flows.many(300, VIP4, 7001) + flows.many(100, VIP6, 7002)
    with Witness(cluster.switch) as seen:
        netns.run(namespace, *command.split())
        flows.ask_tcp(cluster.client, asked, timeout=0.5, window=100)
    for mask, wanted in ((SYN | ACK, SYN | ACK), (RST, RST)):
        for flow, ports in seen.tcp_answers(mask, wanted).items():
            ports.discard("client")
            check_one_owner(ports, f"{flow} ({command})")


def fail_to_start(cluster, namespace):
    """After a kill, a start that comes to nothing leaves the node silent, for its addresses are still there."""
    cluster.kill(2)
    netns.run(namespace, "ip", "link", "add", "nlb-eth0", "type", "bridge")
    for _ in range(2):
        done = cluster.run_agent(2, "--config", cluster.config_file, "--node", "web2")
        check(done.returncode == 1 and "nlb-eth0" in done.stdout + done.stderr, f"a start without its TAP device: {done}")
        check("nlbd-eth0" in netns.run(namespace, "nft", "list", "tables").stdout, "the host sees the originals")
        check(os.path.exists(f"{cluster.run_dir(2)}/tables/state"), "nobody knows of what is left behind")
    netns.run(namespace, "ip", "link", "delete", "nlb-eth0")
    cluster.start(2)
    cluster.wait_active([1, 2, 3])


def test():
    with Cluster(nodes=3, cluster='datapath = "pcap"') as cluster:
        pristine = snapshot.take(cluster, 2)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check_tcp(cluster, flows.many(60, VIP4, 7001) + flows.many(60, VIP6, 7001))  # neighbours know each other
        namespace, put_back = cluster.namespace(2), 0
        for what, command in LOSSES.items():
            ask_meanwhile(cluster, namespace, command)
            put_back += 1
            cluster.wait_until(lambda: cluster.log(2).count("datapath: put back") == put_back, f"{what}: put back")
            cluster.wait_active([1, 2, 3])
            check(cluster.status(2)["datapath"]["mode"] == "tap", f"{what}: does not filter again")
            check_shares(check_tcp(cluster, flows.many(1000, VIP4, 7001)), nodes=3)
            check_udp(cluster, flows.many(500, VIP6, 7001))
        fail_to_start(cluster, namespace)
        check(cluster.terminate(2) == 0, "SIGTERM did not end in exit code 0")
        snapshot.check_same(pristine, snapshot.take(cluster, 2))


main(test)
