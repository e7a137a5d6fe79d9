# SPDX-License-Identifier: Apache-2.0
"""What administrators and their tools do to a host, and how it is undone: one line a deed, run on one node of a cluster.

    deed = dice.choice(DEEDS)
    with Doer(cluster, node) as doer:
        doer.do(deed)
        doer.undo(deed)

A deed is a name, a shell script, and the script that undoes it. In the scripts: $VIP4, $VIP6 (virtual IPs), $SELF4, $SELF6 (the
node's own addresses), $MAC (the cluster's), $AGENT and $SERVER (process ids), $RUN (the agent's directory), $TMP (a scratch one).
limit: how etc/guide/limits.md begins what it says about the clients that are lost to it without a word in `status`.
"""

import collections
import os
import shutil
import signal
import subprocess

import netns
from configuration import PORT
from harness import VIP4, VIP6, Failed, check

Deed = collections.namedtuple("Deed", "name do undo limit", defaults=("", ""))

ROUTES = """ip route replace 198.18.0.0/15 via 192.0.2.254
ip route replace 2001:db8:77::/48 via 2001:db8::fe"""
OWN6 = "ip address replace $SELF6/64 dev eth0 nodad"
PASS = "protocol ip u32 match u32 0 0 flowid 1:1"
NFT = "nft add table inet hostile && nft add chain inet hostile {0} '{{ type filter hook {0} priority 0; policy {1}; }}'"
NO_NFT = "nft delete table inet hostile"


def sysctl(key, value):
    """One setting, and its former value back; what the agent has put back meanwhile is the agent's."""
    path = f"/proc/sys/{key}"
    name = key.replace("/", "_")
    return f"cat {path} > $TMP/{name}; echo {value} > {path}", f"cat $TMP/{name} > {path}"


DEEDS = [
    # Addresses and routes
    Deed("a virtual IP is deleted", "ip address delete $VIP4/32 dev lo"),
    Deed("an IPv6 virtual IP is deleted", "ip address delete $VIP6/128 dev lo"),
    Deed("the IPv4 addresses of lo are flushed", "ip -4 address flush dev lo", "ip address replace 127.0.0.1/8 dev lo"),
    Deed("a virtual IP is added to eth0", "ip address add $VIP4/32 dev eth0", "ip address delete $VIP4/32 dev eth0"),
    Deed("an IPv6 virtual IP is added to eth0", "ip address add $VIP6/64 dev eth0 nodad", "ip address delete $VIP6/64 dev eth0"),
    Deed("the node's own address is replaced", "ip address delete $SELF4/24 dev eth0; ip address add $SELF4/24 dev eth0\n" + ROUTES),
    Deed("all addresses of eth0 are flushed", "ip address flush dev eth0 scope global",
         f"ip address replace $SELF4/24 dev eth0\n{OWN6}\n{ROUTES}"),
    Deed("the route to the clients is deleted", "ip route delete 198.18.0.0/15", ROUTES),
    Deed("the clients are blackholed", "ip route replace blackhole 198.18.0.0/15", ROUTES),
    Deed("a rule for another routing table comes first", "ip rule add pref 5 from all lookup 77", "ip rule delete pref 5"),
    Deed("neighbours are flushed", "ip neighbour flush all"),
    Deed("the router has a wrong static neighbour entry", "ip neighbour replace 192.0.2.254 lladdr 02:00:00:00:00:99 dev eth0 nud permanent",
         "ip neighbour delete 192.0.2.254 dev eth0", limit="nlbd does not see whether answers arrive"),
    # Links
    Deed("eth0 goes down and up", "ip link set eth0 down", f"ip link set eth0 up\n{OWN6}\n{ROUTES}"),
    Deed("lo goes down and up", "ip link set lo down", "ip link set lo up"),
    Deed("eth0 gets another MTU", "ip link set eth0 mtu 1300", f"ip link set eth0 mtu 1500\n{OWN6}\n{ROUTES}"),
    Deed("eth0 gets another MAC address", "ip -o link show eth0 | sed 's/.*ether //; s/ .*//' > $TMP/mac; ip link set eth0 address 02:aa:00:00:00:02",
         "ip link set eth0 address $(cat $TMP/mac)"),
    Deed("eth0 becomes promiscuous", "ip link set eth0 promisc on", "ip link set eth0 promisc off"),
    Deed("eth0 takes all multicast", "ip link set eth0 allmulticast on", "ip link set eth0 allmulticast off"),
    Deed("eth0 stops ARP", "ip link set eth0 arp off", "ip link set eth0 arp on", limit="nlbd does not see whether answers arrive"),
    Deed("the cluster's MAC address is taken off eth0", "ip maddress delete $MAC dev eth0"),
    Deed("eth0 becomes a bridge's port", "ip link add br9 type bridge; ip link set br9 up; ip link set eth0 master br9",
         f"ip link set eth0 nomaster; ip link delete br9\n{OWN6}\n{ROUTES}"),
    Deed("a second interface comes, with arp_ignore 0 of its own",
         "ip link add far9 type veth peer name near9; ip link set far9 up; ip link set near9 up; ip address add 203.0.113.9/24 dev near9",
         "ip link delete far9"),
    Deed("many interfaces come and go",
         "for i in $(seq 60); do echo link add m$i type veth peer name n$i; done | ip -batch -;"
         "for i in $(seq 60); do echo link delete m$i; done | ip -batch -"),
    # Settings of the kernel
    Deed("arp_ignore = 0", *sysctl("net/ipv4/conf/all/arp_ignore", 0)),
    Deed("arp_announce = 0", *sysctl("net/ipv4/conf/all/arp_announce", 0)),
    Deed("drop_unicast_in_l2_multicast = 0", *sysctl("net/ipv4/conf/all/drop_unicast_in_l2_multicast", 0)),
    Deed("the same for IPv6", *sysctl("net/ipv6/conf/eth0/drop_unicast_in_l2_multicast", 0)),
    Deed("a strict rp_filter", *sysctl("net/ipv4/conf/all/rp_filter", 1)),
    Deed("the host forwards", *sysctl("net/ipv4/ip_forward", 1)),
    Deed("IPv6 is disabled on eth0", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
         f"echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6\n{OWN6}\n{ROUTES}"),
    Deed("IPv6 is disabled on lo", "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6",
         "echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6"),
    Deed("pings are ignored", *sysctl("net/ipv4/icmp_echo_ignore_all", 1)),
    Deed("SYN cookies always", *sysctl("net/ipv4/tcp_syncookies", 2)),
    Deed("few memberships", *sysctl("net/ipv4/igmp_max_memberships", 1)),
    Deed("IGMP version 1", *sysctl("net/ipv4/conf/all/force_igmp_version", 1)),
    Deed("fragments are kept for a second", *sysctl("net/ipv4/ipfrag_time", 1)),
    # Queues and filters
    Deed("clsact is deleted", "tc qdisc delete dev eth0 clsact || true"),
    Deed("all ingress filters are deleted", "tc filter delete dev eth0 ingress || true"),
    Deed("a filter comes behind",
         f"tc qdisc add dev eth0 clsact 2>/dev/null && touch $TMP/made; tc filter add dev eth0 ingress pref 50000 {PASS}",
         "tc filter delete dev eth0 ingress pref 50000; if rm $TMP/made 2>/dev/null; then tc qdisc delete dev eth0 clsact; fi"),
    Deed("the hook is made anew, as the old ingress qdisc", "tc qdisc delete dev eth0 clsact; tc qdisc add dev eth0 ingress || true",
         "tc qdisc delete dev eth0 ingress || true"),
    Deed("generic XDP off", "ip link set eth0 xdpgeneric off"),
    Deed("a shaper", "tc qdisc add dev eth0 root tbf rate 200mbit burst 64k latency 50ms", "tc qdisc delete dev eth0 root"),
    # Firewalls
    Deed("a firewall drops beats", f"{NFT.format('input', 'accept')}; nft add rule inet hostile input udp dport {PORT} drop", NO_NFT),
    Deed("a firewall keeps beats in", f"{NFT.format('output', 'accept')}; nft add rule inet hostile output udp dport {PORT} drop", NO_NFT),
    Deed("a firewall drops what it does not know",
         f"{NFT.format('input', 'drop')}; nft add rule inet hostile input iif lo accept; nft add rule inet hostile input tcp dport 22 accept",
         NO_NFT, limit="nlbd does not see what the host's firewall does to the packets of a service"),
    Deed("a firewall rejects the service",
         f"{NFT.format('input', 'accept')}; nft add rule inet hostile input tcp dport 7001-7003 reject with tcp reset",
         NO_NFT, limit="nlbd does not see what the host's firewall does to the packets of a service"),
    Deed("the rules of the firewall are flushed", "nft flush ruleset"),
    Deed("connections are tracked", f"{NFT.format('input', 'accept')}; nft add rule inet hostile input ct state invalid accept", NO_NFT),
    # Services and processes
    Deed("the service is killed and started again", "kill -KILL $SERVER", "server"),
    Deed("the service stands still", "kill -STOP $SERVER", "kill -CONT $SERVER", limit="A `listener` check sees that a process listens"),
    Deed("the agent stands still for a while", "kill -STOP $AGENT; sleep 0.3; kill -CONT $AGENT"),
    Deed("the agent stands still for long", "kill -STOP $AGENT; sleep 1.5; kill -CONT $AGENT"),
    Deed("the agent is killed and started again", "kill -KILL $AGENT", "agent"),
    Deed("the agent gets SIGHUP", "kill -HUP $AGENT"),
    Deed("the agent has no descriptors left", "prlimit --nofile=12: --pid $AGENT", "prlimit --nofile=1024: --pid $AGENT"),
    Deed("the agent has an ordinary priority", "chrt --all-tasks --other -p 0 $AGENT"),
    Deed("the agent is bound to one processor", "taskset --all-tasks -pc 0 $AGENT", "taskset --all-tasks -pc 0-1 $AGENT"),
    Deed("both processors are busy", "for i in 1 2 3 4; do timeout 60 sh -c 'while :; do :; done' >/dev/null 2>&1 & echo $! >> $TMP/busy; done",
         "kill $(cat $TMP/busy); rm $TMP/busy"),
    # Files
    Deed("the control socket is deleted", "mv $RUN/control $TMP/control", "mv $TMP/control $RUN/control"),
    Deed("the configuration is away", "mv $CONFIG $TMP/config", "mv $TMP/config $CONFIG"),
    Deed("the pins are deleted", "rm -f $RUN/bpf/state $RUN/bpf/counters"),
]


class Doer:
    """Runs deeds on a node, with everything undone in the end."""

    def __init__(self, cluster, node):
        self._cluster, self.node = cluster, node
        self._tmp = f"{cluster.directory}/deeds"
        self._done = []

    def __enter__(self):
        os.makedirs(self._tmp, exist_ok=True)
        return self

    def __exit__(self, kind, *_):
        for deed in reversed(self._done):
            try:
                self.undo(deed)
            except Failed:
                if kind is None:
                    raise
        shutil.rmtree(self._tmp)

    def do(self, deed):
        self._run(deed.do, deed)
        self._done.append(deed)

    def undo(self, deed):
        self._done.remove(deed)
        {"server": self._server, "agent": self._agent}.get(deed.undo, lambda: self._run(deed.undo, deed))()

    def _agent(self):
        self._cluster.agents.pop(self.node).wait()
        self._cluster.start(self.node)

    def _server(self):
        self._cluster.servers.pop(self.node).wait()
        self._cluster.start_server(self.node)

    def _run(self, script, deed):
        if not script:
            return
        cluster, node = self._cluster, self.node
        known = {"VIP4": VIP4, "VIP6": VIP6, "SELF4": f"192.0.2.{node}", "SELF6": f"2001:db8::{node:x}",
                 "MAC": "03:bf:" + ":".join(f"{int(part):02x}" for part in VIP4.split(".")),
                 "AGENT": cluster.agents[node].pid if node in cluster.agents else 0,
                 "SERVER": cluster.servers[node].pid if node in cluster.servers else 0,
                 "RUN": cluster.run_dir(node), "CONFIG": cluster.config_file, "TMP": self._tmp}
        done = subprocess.run(netns.command(cluster.namespace(node), ["sh", "-c", script]), capture_output=True, text=True, timeout=60,
                              env={**os.environ, **{key: str(value) for key, value in known.items()}})
        check(done.returncode == 0, f"{deed.name}: {script}: {done.stderr.strip()}")
