# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: addresses, sysctls, memberships, qdiscs, programs, mounts and files are as before the start.

    client --- bridge --- web1, web2

In each MAC mode; also when agents of another mode were killed before.
"""

import snapshot
from harness import Cluster, check, main


def start(cluster, mode):
    cluster.write_config(cluster.config_file, cluster=f'mac_mode = "{mode}"')
    cluster.start_all()
    cluster.wait_active([1, 2])


def stop(cluster, pristine):
    check(snapshot.difference(pristine[1], snapshot.take(cluster, 1)), "a running agent shows no trace at all")
    for node in cluster.ids:
        check(cluster.terminate(node) == 0, "SIGTERM did not end in exit code 0")
        snapshot.check_same(pristine[node], snapshot.take(cluster, node))
        check("ERROR" not in cluster.log(node).upper(), f"web{node} logged an error:\n{cluster.log(node)}")


def test():
    with Cluster(nodes=2) as cluster:
        pristine = {node: snapshot.take(cluster, node) for node in cluster.ids}
        for mode in ("multicast", "igmp", "unicast"):
            start(cluster, mode)
            stop(cluster, pristine)
        for killed, successor in (("multicast", "igmp"), ("igmp", "unicast"), ("unicast", "multicast")):
            start(cluster, killed)
            for node in cluster.ids:
                cluster.kill(node)
            start(cluster, successor)
            stop(cluster, pristine)


main(test)
