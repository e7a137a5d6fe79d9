# SPDX-License-Identifier: Apache-2.0
"""The tc filter of one node is removed by hand, and the hook with it: the node falls silent (it does not answer everything);
the agent puts back what was taken away, also what stands in its place, and the log says so. A restart with another datapath
in the kernel leaves nothing of the former one.

    client --- bridge --- web1, web2 (its filter is removed), web3
"""

import signal

import flows
import netns
import snapshot
from harness import BUILD, VIP4, VIP6, Cluster, check, main
from test_detached_filter_is_silence import check_all_serve, check_silent, delete_hook


def ingress(cluster, node):
    return netns.run(cluster.namespace(node), "tc", "filter", "show", "dev", "eth0", "ingress").stdout


def exchange(cluster, node):
    """The same program, with tables that no agent writes, in the place of nlbd's."""
    namespace, twin = cluster.namespace(node), f"{cluster.run_dir(node)}/bpf/twin"
    netns.run(namespace, "bpftool", "prog", "loadall", f"{BUILD}/tc.bpf.o", twin)
    netns.run(namespace, "tc", "filter", "replace", "dev", "eth0", "ingress", "pref", "1", "handle", "0x6e6c6265", "bpf",
              "direct-action", "pinned", f"{twin}/nlbd_ingress")
    netns.run(namespace, "rm", "-r", twin)


def restart_with(cluster, datapath):
    """All agents are killed and started again: the configuration is one."""
    config = cluster.write_config(f"{cluster.directory}/{datapath}.toml", cluster=f'datapath = "{datapath}"')
    for node in cluster.ids:
        cluster.kill(node)
    for node in cluster.ids:
        cluster.start(node, config=config)
    cluster.wait_active(cluster.ids)
    check(cluster.status(2)["datapath"]["kind"] == datapath, f"not {datapath}: {cluster.status(2)['datapath']}")


def test():
    with Cluster(nodes=3, cluster='datapath = "tc"') as cluster:
        pristine = snapshot.take(cluster, 2)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        before = cluster.status(2)

        def put_back():
            return cluster.log(2).count("datapath: put back (tc filter nlbd_ingress on eth0)")

        for address in (VIP4, VIP6):
            flows.ask_tcp(cluster.client, flows.many(1, address, 7001, seed=9))  # the client knows the MAC address

        agent = cluster.agents[2]  # it stands still: now nothing is put back
        agent.send_signal(signal.SIGSTOP)
        delete_hook(cluster)
        check_silent(cluster, before)
        agent.send_signal(signal.SIGCONT)
        cluster.wait_until(lambda: put_back() == 1, "the tc filter is put back")
        cluster.wait_active([1, 2, 3])
        check_all_serve(cluster)

        exchange(cluster, 2)
        cluster.wait_until(lambda: put_back() == 2, "the tc filter is put back in place of what has taken its place")
        cluster.wait_active([1, 2, 3])
        check_all_serve(cluster)

        for datapath, other in (("xdp", "nlbd_ingress"), ("tc", "nlbd_tc")):
            restart_with(cluster, datapath)
            check(other not in ingress(cluster, 2), f"with {datapath} {other} is still there")
            check_all_serve(cluster)
        check(cluster.terminate(2) == 0, "SIGTERM did not end in exit code 0")
        snapshot.check_same(pristine, snapshot.take(cluster, 2))


main(test)
