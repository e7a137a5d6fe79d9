# SPDX-License-Identifier: Apache-2.0
"""The clients' interface is removed: the agent ends, saying so, and started again and again, as systemd does, it serves
as soon as there is one of that name. The other nodes have its clients meanwhile.

    client --- bridge --- web1, web2 (its eth0 is removed and made anew), web3
"""

import flows
import netns
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for _ in range(2):
            netns.ip(cluster.switch, "link delete web2")
            agent = cluster.agents.pop(2)
            check(agent.wait(30) == 1, "exit code of an agent whose interface is gone")
            check("the interface was removed; start nlbd again when it is back" in cluster.log(2), cluster.log(2))
            again = cluster.run_agent(2, "--config", cluster.config_file, "--node", "web2")
            check(again.returncode == 1 and "eth0" in again.stderr and again.stderr.count("\n") == 1,
                  f"a start without the interface: exit {again.returncode}: {again.stderr}")
            cluster.wait_active([1, 3])
            check_shares(check_tcp(cluster, flows.many(1000, VIP4, 7001)), nodes=2)

            cluster.add_interface(2, 2)
            cluster.start(2)
            cluster.wait_active([1, 2, 3])
            check_shares(check_tcp(cluster, flows.many(1000, VIP4, 7001)), nodes=3)


main(test)
