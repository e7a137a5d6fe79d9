# SPDX-License-Identifier: Apache-2.0
"""Part c: what does it cost the traffic that a server does accept? The same requests and the same bulk transfer, with
and without nlbd.

           client (wrk, iperf3)
    +--------+------- bridge ------------------+
   web1               web2               web3       (nginx and iperf3 on each)

Without nlbd, web1 has the virtual IP as an address of its own. "One node" is web1 alone; web2 and web3 are cut off.
Each round goes through all contenders, the next one starts with another; what counts is the ratio to the numbers
without nlbd of the same round. Client, switch and servers share this machine's processors: where three nodes serve,
each frame for the cluster is delivered, and dropped by two of them, at this machine's expense as well. Bulk towards the
servers ("in") pays for veth: generic XDP makes the kernel copy each packet first, as it needs room in front of it and
the sender keeps the original; native XDP takes away the large segments that veth passes on else. A program that does
nothing but let pass shows how much that is. With pcap each packet is copied to the agent and back.
"""

import json
import os
import subprocess

import netns
import web
import wrk
from harness import BUILD, VIP4, Cluster, check
from table import Table, median

NAME = "accepted"
WHAT = "accepted traffic, median (and ratio to no nlbd in the same round)"
REPEATS = 10

_REQUESTS_S, _BULK_S = 3, 2
_IPERF_PORT = 5201
_PROGRAMS = os.path.join(BUILD, "wire.bpf.o")
_RULES = web.RULE + f"""
[[rule]]
name = "bulk"
protocol = "tcp"
ports = "{_IPERF_PORT}"
affinity = "single"  # iperf3 talks over two connections
"""


class Contender:
    """nodes: whose agents run; none: no nlbd. datapath: as in the configuration."""

    def __init__(self, nodes=(), datapath=None):
        self._nodes, self._datapath = nodes, datapath

    def start(self, cluster):
        for node in cluster.ids[1:]:
            netns.ip(cluster.switch, f"link set web{node} {'up' if node in self._nodes else 'down'}")
        if not self._nodes:
            netns.ip(cluster.namespace(1), f"address add {VIP4}/32 dev eth0")
            return
        config = cluster.write_config(f"{cluster.directory}/{self._datapath}.toml",
                                      cluster=f'datapath = "{self._datapath}"')
        for node in self._nodes:
            cluster.start(node, config=config)
        cluster.wait_active(list(self._nodes))
        for node in self._nodes:
            shown = cluster.status(node)["datapath"]
            check(self._datapath in (shown["kind"], f"{shown['kind']}-{shown['mode']}"), f"web{node} filters with {shown}")

    def stop(self, cluster):
        if not self._nodes:
            netns.ip(cluster.namespace(1), f"address del {VIP4}/32 dev eth0")
        for node in self._nodes:
            cluster.terminate(node)
        netns.run(cluster.client, "ip", "neighbour", "flush", "dev", "eth0")  # another MAC address is next


class PassAlone(Contender):
    """No nlbd either, but an XDP program that does nothing: what XDP in this mode costs by itself."""

    def __init__(self, mode):
        super().__init__()
        self._mode = mode

    def start(self, cluster):
        super().start(cluster)
        self._set(cluster, "object", _PROGRAMS, "program", "pass")

    def stop(self, cluster):
        self._set(cluster, "off")
        super().stop(cluster)

    def _set(self, cluster, *words):
        netns.run(cluster.namespace(1), "ip", "link", "set", "dev", "eth0", self._mode, *words)


class Flooded(Contender):
    """No nlbd either, but a MAC address that the bridge does not learn: the price of flooding alone."""

    def start(self, cluster):
        for node in cluster.ids:
            netns.ip(cluster.switch, f"link set web{node} up")
        netns.ip(cluster.switch, "link set web1 type bridge_slave learning off")
        netns.run(cluster.switch, "bridge", "fdb", "flush", "dev", "bridge0", check=False)
        netns.run(cluster.switch, "bridge", "link", "set", "dev", "web1", "learning", "off")
        mac = netns.mac_of(cluster.namespace(1))
        netns.run(cluster.switch, "bridge", "fdb", "del", mac, "dev", "web1", "master", check=False)
        netns.ip(cluster.namespace(1), f"address add {VIP4}/32 dev eth0")

    def stop(self, cluster):
        super().stop(cluster)
        netns.ip(cluster.switch, "link set web1 type bridge_slave learning on")


_YARDSTICK = "no nlbd"
CONTENDERS = {
    _YARDSTICK: Contender(),
    "flooded MAC, no nlbd": Flooded(),
    "XDP_PASS alone, generic": PassAlone("xdpgeneric"),
    "XDP_PASS alone, native": PassAlone("xdpdrv"),
    "one node, generic": Contender([1], "xdp-generic"),
    "one node, native": Contender([1], "xdp-native"),
    "one node, tc": Contender([1], "tc"),
    "one node, pcap": Contender([1], "pcap"),
    "three nodes, generic": Contender([1, 2, 3], "xdp-generic"),
    "three nodes, native": Contender([1, 2, 3], "xdp-native"),
    "three nodes, tc": Contender([1, 2, 3], "tc"),
    "three nodes, pcap": Contender([1, 2, 3], "pcap"),
}


def _serve_bulk(cluster):
    for node in cluster.ids:
        cluster.servers[f"iperf{node}"] = subprocess.Popen(
            netns.command(cluster.namespace(node), ["iperf3", "--server", "--port", _IPERF_PORT]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=netns.die_with_parent)
    for node in cluster.ids:
        cluster.wait_until(lambda: netns.run(cluster.namespace(node), "ss", "-Htnl", f"sport = {_IPERF_PORT}").stdout,
                           f"iperf3 of {cluster.label(node)} listens")


def _transfer(cluster, *direction):
    """Gbit/s, and processor seconds a gigabyte, of both ends together."""
    words = ["iperf3", "--client", VIP4, "--port", _IPERF_PORT, "--time", _BULK_S, "--json", *direction]
    told = json.loads(netns.run(cluster.client, *words, check=False).stdout)
    check("error" not in told, f"iperf3: {told.get('error')}")
    received, busy = told["end"]["sum_received"], told["end"]["cpu_utilization_percent"]
    seconds = (busy["host_total"] + busy["remote_total"]) / 100 * received["seconds"]
    return received["bits_per_second"] / 1e9, seconds / (received["bytes"] / 1e9)


def _numbers(cluster):
    numbers = wrk.ask(cluster, _REQUESTS_S)
    check(numbers["failed"] == 0, f"{numbers['failed']} requests failed")
    numbers["in_gbit_s"], numbers["in_cpu_s_per_gb"] = _transfer(cluster)
    numbers["out_gbit_s"], numbers["out_cpu_s_per_gb"] = _transfer(cluster, "--reverse")
    return numbers


def measure(options, say):
    """contender -> {"requests_per_s": [one number a repeat], "p50_ms": ..., "p99_ms": ..., "in_gbit_s": ..., ...}"""
    taking_part = [name for name in CONTENDERS if options.only in name or name == _YARDSTICK]
    result = {name: {} for name in taking_part}
    with Cluster(nodes=3, servers=False, rules=_RULES) as cluster:
        for host in ["client"] + cluster.ids:  # the one that every kernel has: others pace by the clock
            netns.sysctl(cluster.namespace(host), "net.ipv4.tcp_congestion_control", "reno")
        web.serve(cluster)
        _serve_bulk(cluster)
        for repeat in range(options.repeats or REPEATS):
            say(f"round {repeat + 1}")
            first = repeat % len(taking_part)
            for name in taking_part[first:] + taking_part[:first]:
                CONTENDERS[name].start(cluster)
                for key, number in _numbers(cluster).items():
                    result[name].setdefault(key, []).append(number)
                CONTENDERS[name].stop(cluster)
    return result


_COLUMNS = {"requests_per_s": ("requests/s", ".0f"), "p50_ms": ("p50 ms", ".2f"), "p99_ms": ("p99 ms", ".2f"),
            "in_gbit_s": ("Gbit/s in", ".1f"), "in_cpu_s_per_gb": ("CPU s/GB", ".2f"),
            "out_gbit_s": ("Gbit/s out", ".1f"), "out_cpu_s_per_gb": ("CPU s/GB", ".2f")}


def table(result):
    made = Table(["median (ratio)"] + [head for head, _ in _COLUMNS.values()])
    for name, one in result.items():
        made.add(name, *[_cell(one[key], result[_YARDSTICK][key], form) for key, (_, form) in _COLUMNS.items()])
    return made


def _cell(values, without, form):
    ratio = median([value / base for value, base in zip(values, without)])
    return f"{median(values):{form}} ({ratio:.2f})"
