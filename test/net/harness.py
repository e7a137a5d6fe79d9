# SPDX-License-Identifier: Apache-2.0
"""A cluster in network namespaces: the real agent and the real command, on a bridge that is this machine's own.

           client  198.18.0.0/15, 2001:db8:77::/48 (all local to it)
             | eth0 192.0.2.254, 2001:db8::fe
    +--------+----------- bridge0 (namespace "switch") -------------+
    | eth0 192.0.2.1, 2001:db8::1  | eth0 .2, ::2     | eth0 .3, ::3
   web1                           web2               web3
    | eth1 198.51.100.1            | eth1 .2          | eth1 .3
    +--------+----------- bridge1 (only with heartbeat_network) ----+

    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])

Everything is removed on the way out, also after a failure or a signal; what a killed run left is swept by the next.
"""

import atexit
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import netns
from configuration import DATAPATH, DELIVERY, GROUP, PATIENCE, PORT, VIP4, VIP6, configuration  # noqa: F401 (offered to the tests)

SOURCE = os.environ.get("NLBD_SOURCE_DIR", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("NLBD_BUILD_DIR", os.path.join(SOURCE, "build/release"))
NLBD, NLBCTL = os.path.join(BUILD, "nlbd"), os.path.join(BUILD, "nlbctl")
sys.path.append(os.path.join(SOURCE, "packaging/demonstration"))
from answers import Answers  # noqa: E402
from stalls import StallMeter, clock  # noqa: E402

CLUSTER_MAC = "03:bf:c0:00:02:64"  # that follows from VIP4
SERVICE_PORTS = (7001, 7002, 7003)
SKIPPED = 77
STALLED = "STALLED: "  # begins the line for which test/judge.py grants a test that failed a second try
LOG_LINE = re.compile(r"[\d-]{10} [\d:.]{12} (info|warning|error): [a-z][a-z0-9. ]*: .+")
_PREFIX = "nlb"


class Failed(AssertionError):
    """A condition did not come true, or something is not as promised."""


class Stalled(Failed):
    """The machine stood still too often to say anything."""


class TwoOwners(Failed):
    """Two nodes answered one request, which must never be: wherever it is seen, test/judge.py fails the whole run."""

    def __init__(self, what):
        super().__init__(f"two owners: {what}")


def check(condition, message):
    if not condition:
        raise Failed(message)


def check_one_owner(nodes, request):
    """nodes: those that answered this one request, by whatever they are known."""
    if len(set(nodes)) > 1:
        raise TwoOwners(f"{', '.join(map(str, sorted(set(nodes))))} answered {request}")


def _sweep():
    """Removes what runs that were killed have left: namespaces and mounts of processes that are gone."""
    for name in netns.with_prefix(_PREFIX):
        owner = re.fullmatch(rf"{_PREFIX}(\d+)-\w+", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            netns.delete(name)
    for entry in os.listdir("/tmp"):
        owner = re.fullmatch(rf"{_PREFIX}(\d+)", entry)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            _unmount_below(f"/tmp/{entry}")
            shutil.rmtree(f"/tmp/{entry}", ignore_errors=True)


def _unmount_below(directory):
    with open("/proc/self/mounts") as mounts:
        points = [line.split()[1] for line in mounts]
    for point in reversed(points):
        if point.startswith(directory + "/"):
            subprocess.run(["umount", "-l", point], capture_output=True, timeout=30)


class Cluster:
    """nodes: how many. rules, extra: see configuration(). heartbeat_network: beats go over eth1 and bridge1 alone.

    Every SYN-ACK that crosses the bridges is seen by a witness: a request that two nodes answered ends the test as TwoOwners,
    but where split_serves says that two halves may serve.

    ports: what the servers listen on. key: the cluster's, for the same spread in every run; else a new one. snooping:
    the bridges snoop IGMP and MLD, and are the querier; they ask every second and forget after three.

    delivery: with "forward", by default what NLBD_DELIVERY says, the clients' bridge floods nothing: what it has not learned
    goes nowhere, and multicast goes to the members that it knows of by snooping (RFC 4541: all hosts, ff02::1, to every port).

    multicast: without it, the bridges deliver none at all, and so no neighbour discovery either.
    """

    def __init__(self, nodes=3, heartbeat_network=False, servers=True, ports=SERVICE_PORTS, key=None, snooping=False,
                 may_step_down=False, delivery=DELIVERY, multicast=True, **options):
        self.ids = list(range(1, nodes + 1))
        self.heartbeat_network, self.delivery = heartbeat_network, delivery
        self.multicast = multicast
        self.snooping = snooping or (delivery == "forward" and multicast)
        self.directory = f"/tmp/{_PREFIX}{os.getpid()}"
        self.client, self.switch = self.namespace("client"), self.namespace("switch")
        self.key_file = f"{self.directory}/cluster.key"
        self.options = dict(options, nodes=nodes, key_file=self.key_file)
        if delivery != DELIVERY:
            self.options["cluster"] = self.options.get("cluster", "") + f'\ndelivery = "{delivery}"'
        if heartbeat_network:
            self.options.setdefault("heartbeat", 'interfaces = ["eth1"]')
        self.agents = {}   # id -> Popen, as long as it has not been waited for
        self.servers = {}
        self.stalls = StallMeter()
        self.split_serves = False
        self._answers = None
        self._with_servers, self._ports, self._key = servers, ports, key
        self._may_step_down = may_step_down  # from XDP, where the configuration leaves the choice

    # Names

    @staticmethod
    def label(who):
        """The name of a node (given by id), or of any other host (by name)."""
        return f"web{who}" if isinstance(who, int) else who

    def namespace(self, who):
        return f"{_PREFIX}{os.getpid()}-{self.label(who)}"

    def run_dir(self, who):
        return f"{self.directory}/{self.label(who)}"

    def log_file(self, who):
        return f"{self.directory}/{self.label(who)}.log"

    @property
    def config_file(self):
        return f"{self.directory}/cluster.toml"

    # Building and removing

    def __enter__(self):
        _raise_on_signals()
        atexit.register(self.remove)
        self.stalls.__enter__()
        try:
            self._build()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, error, _):
        trouble = None
        if kind is None or (issubclass(kind, Exception) and not issubclass(kind, TwoOwners)):
            trouble = self._two_owners() or (self._trouble() if kind is None else None)
            error = trouble or error
        if error is not None:
            print(f"\nFAILED: {error}\n{self.diagnosis()}\n{self.stalled(error)}", file=sys.stderr, flush=True)
        self.remove()
        if trouble is not None:
            raise trouble

    def _two_owners(self):
        if self._answers is None or self.split_serves:
            return None
        _, twice = self._answers.finish()
        return TwoOwners(f"{len(twice)} SYNs answered by two nodes: {twice[:3]}") if twice else None

    def _trouble(self):
        """What no test wants to see: an agent that has ended by itself, a sanitizer's report. None: all well."""
        for who, agent in self.agents.items():
            if agent.poll() is not None:
                return Failed(f"the agent of {self.label(who)} has ended by itself, exit code {agent.returncode}")
        for entry in sorted(os.listdir(self.directory)):
            if entry.endswith(".log"):
                with open(f"{self.directory}/{entry}") as file:
                    text = file.read()
                if "(datapath_stepped_down)" in text and not self._may_step_down:
                    return Failed(f"a node does not have the datapath that it should have: {entry}")
                if re.search("Sanitizer|runtime error:", text):
                    return Failed(f"a sanitizer reports in {entry}")
                for line in text.splitlines():
                    if not LOG_LINE.fullmatch(line) and not line.startswith("nlbd: "):
                        return Failed(f"a line in {entry} is not `subject: event`: {line}")
        return None

    def _build(self):
        for program in (NLBD, NLBCTL):
            if not os.access(program, os.X_OK):
                raise Failed(f"{program} is not built; NLBD_BUILD_DIR names the build directory")
        _sweep()
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        os.makedirs(self.directory, mode=0o700)
        self.write_key()
        self.write_config(self.config_file)
        netns.create(self.switch)
        self._answers = Answers(self.switch)
        for bridge in ("bridge0", "bridge1")[:1 + self.heartbeat_network]:
            self.add_bridge(bridge)
        for who in ["client"] + self.ids:
            self.add_host(who)
        netns.ip(self.client, """
            route add local 198.18.0.0/15 dev lo
            route add local 2001:db8:77::/48 dev lo""")
        netns.sysctl(self.client, "net.ipv6.ip_nonlocal_bind", 1)
        if self._with_servers:
            for node in self.ids:
                self.start_server(node)

    def write_key(self):
        if self._key is None:
            self.nlbctl("keygen", self.key_file)
            return
        with open(os.open(self.key_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(self._key + "\n")

    def add_bridge(self, name):
        # In IGMPv2 and MLDv1 a member that hears another's report is silent, as it may on a router's port.
        snooping = ("1 mcast_igmp_version 3 mcast_mld_version 2 mcast_query_response_interval 20 "
                    "mcast_query_interval 100 mcast_startup_query_interval 100 mcast_membership_interval 300")
        netns.ip(self.switch, f"""
            link add {name} type bridge forward_delay 0 mcast_snooping {snooping if self.snooping else 0}
            link set {name} type bridge mcast_querier {int(self.snooping)}
            link set {name} up""")

    def add_host(self, who, number=None):
        """A namespace on the bridge: a node (by id), the client, or one more host (by name; number: its last octet)."""
        host = self.namespace(who)
        if number is None:
            number = 254 if who == "client" else who if isinstance(who, int) else 200 + len(netns.with_prefix(host[:-1]))
        netns.create(host)
        self.add_interface(who, number)
        if isinstance(who, int) and self.heartbeat_network:
            self._plug(host, "eth1", f"hb{who}", "bridge1")
            netns.ip(host, f"""
                address add 198.51.100.{number}/24 dev eth1
                link set eth1 up""")
        return host

    def add_interface(self, who, number):
        """eth0 of a host, also when it had one before. number: the last octet of its address."""
        host, low = self.namespace(who), "fe" if who == "client" else f"{number:x}"
        self._plug(host, "eth0", self.label(who), "bridge0")
        netns.ip(host, f"""
            address add 192.0.2.{number}/24 dev eth0
            address add 2001:db8::{low}/64 dev eth0 nodad
            link set eth0 up""")
        if who != "client":  # clients are behind it
            netns.ip(host, """
                route add 198.18.0.0/15 via 192.0.2.254
                route add 2001:db8:77::/48 via 2001:db8::fe""")

    def _plug(self, host, interface, port, bridge):
        netns.ip(self.switch, f"""
            link add {port} type veth peer name {interface} netns {host}
            link set {port} master {bridge}
            link set {port} up""")
        if self.delivery == "forward" and bridge == "bridge0":
            netns.ip(self.switch, f"link set {port} type bridge_slave flood off")
            if DATAPATH == "xdp-native":
                self._make_fit_for_xdp(host, interface, port)
        if not self.multicast:
            netns.ip(self.switch, f"link set {port} type bridge_slave mcast_flood off")

    def _make_fit_for_xdp(self, host, interface, port):
        """What XDP sends on a veth is the frame alone, without tag and checksum that lie beside it, and waits until
        the other end has a program of XDP, too. Cards do all this by themselves."""
        netns.finish_frames(self.switch, port)
        netns.finish_frames(host, interface)
        netns.run(self.switch, "ip", "link", "set", "dev", port, "xdpdrv", "obj", self._program_that_passes(), "sec", "xdp")

    def _program_that_passes(self):
        path = f"{self.directory}/pass.bpf.o"
        if not os.path.exists(path):
            subprocess.run(["clang", "-target", "bpf", "-O2", "-x", "c", "-", "-c", "-o", path], text=True, check=True,
                           input='__attribute__((section("xdp"))) int pass(void *frame) { return 2; }\n'
                                 '__attribute__((section("license"))) char granted[] = "GPL";\n')
        return path

    def split(self, *nodes):
        """Heartbeats of these nodes reach only each other; they and the others are two halves."""
        self.add_bridge("bridge2")
        for node in nodes:
            netns.ip(self.switch, f"link set hb{node} master bridge2")

    def heal(self):
        for node in self.ids:
            netns.ip(self.switch, f"link set hb{node} master bridge1")
        netns.ip(self.switch, "link delete bridge2")

    def remove(self):
        """Takes everything down. Called more than once without harm."""
        atexit.unregister(self.remove)
        for process in list(self.agents.values()) + list(self.servers.values()):
            if process.poll() is None:
                process.kill()
            process.wait()
        self.agents, self.servers = {}, {}
        self.stalls.__exit__()
        if self._answers is not None:
            self._answers.finish()
        _unmount_below(self.directory)
        for name in netns.with_prefix(f"{_PREFIX}{os.getpid()}-"):
            netns.delete(name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def mac_of_frames(self):
        """Where clients' frames go: to the cluster's MAC; with forwarding to a node, of which any sends them on."""
        if self.delivery == "flood":
            return CLUSTER_MAC
        return json.loads(netns.run(self.namespace(1), "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]

    # Programs

    def write_config(self, path, **changes):
        """A configuration file, with some of the options of configuration() changed."""
        with open(path, "w") as file:
            file.write(configuration(**{**self.options, **changes}))
        return path

    def start(self, node, config=None, name=None, log_file=None, environment=None, arguments=()):
        """Starts an agent, by default that of its node; does not wait for anything."""
        with open(log_file or self.log_file(node), "a") as log:
            self.agents[node] = subprocess.Popen(
                netns.command(self.namespace(node), [self.program(node), "--config", config or self.config_file,
                                                     "--node", name or self.label(node),
                                                     "--run-dir", self.run_dir(node), *arguments]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=netns.die_with_parent,
                env={**os.environ, **(environment or {})})

    def program(self, _node):
        """What start() runs as a node's agent."""
        return NLBD

    def start_all(self):
        for node in self.ids:
            self.start(node)

    def run_agent(self, node, *arguments, prefix=(), seconds=20):
        """Runs the agent of a node that is expected to end by itself; the finished process."""
        words = list(prefix) + [NLBD, "--run-dir", self.run_dir(node)] + list(arguments)
        return subprocess.run(netns.command(self.namespace(node), words), capture_output=True, text=True,
                              timeout=seconds * PATIENCE, preexec_fn=netns.die_with_parent)

    def terminate(self, node, seconds=30):
        """SIGTERM, and its exit code."""
        agent = self.agents.pop(node)
        agent.terminate()
        try:
            return agent.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.agents[node] = agent
            raise Failed(f"{self.label(node)} did not end within {seconds} s of SIGTERM") from None

    def kill(self, node):
        """SIGKILL to the agent; everything else of the node stays."""
        agent = self.agents.pop(node)
        agent.kill()
        agent.wait()

    def monitor_of(self, node):
        """The process that keeps root's rights for the agent: its first child."""
        with open(f"/proc/{self.agents[node].pid}/task/{self.agents[node].pid}/children") as file:
            return int(file.read().split()[0])  # the second one, if there is one, announces

    def crash(self, node):
        """The whole node at once: link down, agent and server killed."""
        netns.ip(self.switch, f"link set {self.label(node)} down")
        self.kill(node)
        if node in self.servers:
            self.kill_server(node)

    def revive(self, node):
        """After crash(): the link and the server are back, the agent is started."""
        netns.ip(self.switch, f"link set {self.label(node)} up")
        self.start_server(node)
        self.start(node)

    def start_server(self, node):
        server = subprocess.Popen(
            netns.command(self.namespace(node),
                          [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "echo_server.py"),
                           f"web{node}", ",".join(self.options.get("virtual_ips", (VIP4, VIP6))),
                           ",".join(map(str, self._ports))]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=netns.die_with_parent)
        self.servers[node] = server
        check(server.stdout.readline() == "ready\n", f"the server of web{node} does not start")

    def kill_server(self, node):
        server = self.servers.pop(node)
        server.kill()
        server.wait()

    def nlbctl(self, *arguments, node=None, check_exit=True):
        """Runs nlbctl to its end; with a node, against that node's agent."""
        words = [NLBCTL] + (["--run-dir", self.run_dir(node)] if node else []) + list(map(str, arguments))
        done = subprocess.run(words, capture_output=True, text=True, timeout=60 * PATIENCE)
        if check_exit and done.returncode != 0:
            raise Failed(f"nlbctl {' '.join(map(str, arguments))} ({self.label(node)}): exit {done.returncode}: "
                         f"{done.stderr.strip()}")
        return done

    def status(self, node):
        """The agent's `status --json`, or None when no agent answers."""
        done = self.nlbctl("--json", "status", node=node, check_exit=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def log(self, node):
        with open(self.log_file(node)) as file:
            return file.read()

    # Waiting

    def wait_until(self, condition, what, seconds=30, every=0.05):
        """Returns the first true value of condition(); fails, with the status and log of every node, after the deadline."""
        end = time.monotonic() + seconds * PATIENCE
        while True:
            if value := condition():
                return value
            if time.monotonic() > end:
                raise Failed(f"not within {seconds * PATIENCE:g} s: {what}")
            time.sleep(every)

    def wait_active(self, nodes, seconds=30):
        """Until the agents of all these nodes serve one and the same view that holds exactly them."""
        def agreed():
            ended = [node for node in nodes if node in self.agents and self.agents[node].poll() is not None]
            check(not ended, f"the agents of web{ended} have ended by themselves")
            return self.agree(nodes)

        self.wait_until(agreed, f"web{nodes} form one cluster", seconds)

    def agree(self, nodes):
        views = set()
        for node in nodes:
            status = self.status(node)
            if status is None or status["state"] != "active" or not status["view"]["installed"]:
                return False
            if self.members(status) != list(nodes):
                return False
            views.add((status["view"]["term"], status["view"]["number"]))
        return len(views) == 1

    @staticmethod
    def members(status):
        """The ids that a status calls active."""
        return sorted(member["id"] for member in status["members"] if member["state"] == "active")

    def stalled(self, error):
        """The line that grants a second try: this machine stood still for a good part of what makes a node dead."""
        late, due = self.stalls.worst()
        with open(self.config_file) as file:
            dead_after = re.search(r"^dead_after_ms *= *(\d+)", file.read(), re.MULTILINE)
        allowed = int(dead_after[1] if dead_after else 500) / 1000 / 4
        said = (f"a thread at the agents' priority was late by {1000 * late:.0f} ms at worst, at {clock(due)}" if late
                else "a thread at the agents' priority was never late")
        return f"{STALLED}{said}" if late > allowed or isinstance(error, Stalled) else f"The machine did not stall: {said}"

    def diagnosis(self):
        """What every agent says of itself, and the end of its log."""
        parts = []
        for node in dict.fromkeys(self.ids + list(self.agents)):
            parts.append(f"--- {self.label(node)}: ")
            agent = self.agents.get(node)
            if agent is not None and agent.poll() is not None:
                parts[-1] += f"the agent has ended with exit code {agent.returncode}"
            try:
                parts.append(self.nlbctl("status", node=node, check_exit=False).stdout)
            except (OSError, subprocess.SubprocessError) as error:
                parts.append(f"nlbctl status: {error}")
            if os.path.exists(self.log_file(node)):
                parts.append("log: " + "\n     ".join(self.log(node).splitlines()[-40:]))
        return "\n".join(parts)


def _raise_on_signals():
    def leave(number, _):
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)


def main(test):
    """Runs a test function: exit 0, or 1 with what went wrong (Cluster has printed it when one was up)."""
    started = time.monotonic()
    try:
        test()
    except Failed as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        sys.exit(1)
    print(f"passed in {time.monotonic() - started:.1f} s")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)
