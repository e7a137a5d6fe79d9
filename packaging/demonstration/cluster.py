# SPDX-License-Identifier: Apache-2.0
"""Three servers, a switch and a client, as network namespaces of this machine.

    client 192.0.2.254, and all of 198.18.0.0/15 behind it
      |
    switch (a bridge)
      |            |            |
    web1 .1      web2 .2      web3 .3      each: nginx, nlbd; together: 192.0.2.100

A namespace has network interfaces, addresses and firewall of its own, like a machine of its own. Programs are started
in one with nsenter, which leaves them the machine's mounts: RUN_DIR/bpf has to outlive an agent.
"""

import json
import os
import shutil
import subprocess
import time

VIRTUAL_IP = "192.0.2.100"
NODES = (1, 2, 3)

CONFIGURATION = """
[cluster]
name      = "demo"
interface = "eth0"
key_file  = "{directory}/cluster.key"
{nodes}
[[virtual_ip]]
address = "192.0.2.100"

[[rule]]
name     = "http"
protocol = "tcp"
ports    = "80"
affinity = "single"        # a client's address decides which server it gets
"""

NGINX = """
daemon off; master_process off; user root;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{
        listen 80;
        location / {{ default_type text/plain; return 200 "Hello, this is {name}.\\n"; }}
    }}
}}
"""


def ip(namespace, lines):
    """Runs lines as `ip` commands, in a namespace or (None) in this one."""
    prefix = ["ip"] if namespace is None else ["ip", "-n", namespace]
    text = "\n".join(line.strip() for line in lines.strip().splitlines())
    done = subprocess.run(prefix + ["-batch", "-"], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip: {done.stderr.strip()}")


class Cluster:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.prefix = f"nlbdemo{os.getpid()}-"
        self.directory = f"/tmp/nlbdemo{os.getpid()}"
        self.programs = {}  # (node, "nlbd" or "nginx") -> Popen

    def namespace(self, name):
        return self.prefix + name

    def make(self):
        os.makedirs(self.directory, mode=0o700)
        nodes = "".join(f'\n[[node]]\nid   = {node}\nname = "web{node}"\n' for node in NODES)
        with open(f"{self.directory}/cluster.toml", "w") as file:
            file.write(CONFIGURATION.format(directory=self.directory, nodes=nodes))
        self.nlbctl("keygen", f"{self.directory}/cluster.key")
        for name in ["switch", "client"] + [f"web{node}" for node in NODES]:
            ip(None, f"netns add {self.namespace(name)}")
            ip(self.namespace(name), "link set lo up")
        ip(self.namespace("switch"), """
            link add switch type bridge mcast_snooping 0
            link set switch up""")
        self._plug("client", 254)
        ip(self.namespace("client"), "route add local 198.18.0.0/15 dev lo")
        for node in NODES:
            self._plug(f"web{node}", node)
            ip(self.namespace(f"web{node}"), "route add 198.18.0.0/15 via 192.0.2.254")

    def _plug(self, name, number):
        """A cable from a host's eth0 to a port of the switch."""
        ip(self.namespace("switch"), f"""
            link add {name} type veth peer name eth0 netns {self.namespace(name)}
            link set {name} master switch up""")
        ip(self.namespace(name), f"""
            address add 192.0.2.{number}/24 dev eth0
            link set eth0 up""")

    def remove(self):
        for program in self.programs.values():
            program.kill()
            program.wait()
        self.programs = {}
        for node in NODES:
            subprocess.run(["umount", "-l", f"{self.directory}/web{node}/run/bpf"], capture_output=True)
        for name in ["client", "switch"] + [f"web{node}" for node in NODES]:
            subprocess.run(["ip", "netns", "delete", self.namespace(name)], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    # One server's programs

    def start(self, node):
        directory = f"{self.directory}/web{node}"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/nginx.conf", "w") as file:
            file.write(NGINX.format(directory=directory, name=f"web{node}"))
        self._run(node, "nginx", ["nginx", "-c", f"{directory}/nginx.conf", "-e", f"{directory}/nginx.log"])
        self._run(node, "nlbd", [f"{self.build}/nlbd", "--config", f"{self.directory}/cluster.toml",
                                 "--node", f"web{node}", "--run-dir", f"{directory}/run"])

    def _run(self, node, name, words):
        with open(f"{self.directory}/web{node}/{name}.log", "a") as log:
            self.programs[node, name] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.namespace(f'web{node}')}"] + words,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def crash(self, node):
        """As if the power went: the cable dead, every program gone without a word."""
        ip(self.namespace("switch"), f"link set web{node} down")
        for name in ("nlbd", "nginx"):
            self.programs[node, name].kill()
        for name in ("nlbd", "nginx"):
            self.programs.pop((node, name)).wait()

    def revive(self, node):
        """Switched on again: without a memory of who did not answer while the cable was out."""
        ip(self.namespace("switch"), f"link set web{node} up")
        ip(self.namespace(f"web{node}"), "neighbour flush all")
        self.start(node)

    # Questions

    def nlbctl(self, *words, node=None):
        where = ["--run-dir", f"{self.directory}/web{node}/run"] if node else []
        done = subprocess.run([f"{self.build}/nlbctl"] + where + list(words), capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise RuntimeError(f"nlbctl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def one_cluster(self, nodes):
        """Whether the agents of all these nodes serve one and the same view that holds exactly them."""
        views = set()
        for node in nodes:
            text = self.nlbctl("--json", "status", node=node)
            status = json.loads(text) if text else {"state": "dead"}
            if status["state"] != "active" or not status["view"]["installed"]:
                return False
            if [member["id"] for member in status["members"] if member["state"] == "active"] != list(nodes):
                return False
            views.add((status["view"]["term"], status["view"]["number"]))
        return len(views) == 1

    def wait_for(self, nodes, seconds=20):
        """Until they are one cluster; how long it took."""
        start = time.monotonic()
        while not self.one_cluster(nodes):
            if time.monotonic() > start + seconds:
                logs = "\n".join(open(f"{self.directory}/web{node}/nlbd.log").read() for node in NODES)
                raise RuntimeError(f"the servers {nodes} did not become one cluster; their logs:\n{logs}")
            time.sleep(0.02)
        return time.monotonic() - start

    def client_sees(self):
        """The hardware address that the client has for the virtual IP."""
        done = subprocess.run(["ip", "-n", self.namespace("client"), "-j", "neighbour", "show", VIRTUAL_IP],
                              capture_output=True, text=True)
        entries = json.loads(done.stdout or "[]")
        return entries[0].get("lladdr", "nothing") if entries else "nothing"
