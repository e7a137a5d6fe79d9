# SPDX-License-Identifier: Apache-2.0
"""README.md is followed: its configurations pass `nlbctl check`, with each line that is commented out as well, and its
commands install the programs on two servers and make them one.

    client --- bridge --- web1, web2 (each with /etc, /run, /var and /usr/local of its own)

Left out are the packages and the build, which are there, and the two lines that make a package (test/packages).
"""

import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(HERE), "guides"))
from machines import Machines  # noqa: E402 (first: it knows where the other modules are)
from harness import BUILD, NLBCTL, SOURCE, check, main  # noqa: E402
import netns  # noqa: E402

PATH = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
INSTALLED = ("sbin/nlbd", "sbin/nlbctl", "share/man/man8/nlbd.8", "share/man/man8/nlbctl.8", "share/man/man5/cluster.toml.5", "share/man/man5/nlbctl-json.5",
             "share/doc/nlbd/etc/cluster.toml", "lib/systemd/system/nlbd.service")


def configurations(text):
    """Each configuration, and each with one of its lines no longer commented out."""
    for whole in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        yield whole
        for line in re.findall(r"^# \w+ *= .*$", whole, re.MULTILINE):
            yield whole.replace(line, line[2:])


def commands(text):
    """The lines that make two servers one, without their comments."""
    blocks = [block for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if "nlbctl keygen " in block]
    check(len(blocks) == 1, f"{len(blocks)} blocks of README.md make a key")
    return [line.split("#")[0].strip() for line in blocks[0].splitlines()]


def check_configurations(text, directory):
    found = list(configurations(text))
    check(len(found) > 3, f"only {len(found)} configurations")
    for number, one in enumerate(found):
        path = f"{directory}/{number}.toml"
        with open(path, "w") as file:
            file.write(one)
        done = netns.run(None, NLBCTL, "check", path, check=False)
        check(done.returncode == 0, f"README.md has a configuration that is refused: {done.stderr}{one}")
    return f"{directory}/0.toml"


def install(cluster, line):
    """`cmake --install`, from the build that is tested."""
    check(line.split(" && ")[-1] == "cmake --install build/release", f"another way to install: {line}")
    for node in cluster.ids:
        machine = cluster.machine[node]
        machine.sh(f"mount -t tmpfs tmpfs /usr/local\ncmake --install {BUILD} --prefix /usr/local >/dev/null")
        there = machine.sh("cd /usr/local && find . -type f").split()
        lacking = [name for name in INSTALLED if not any(path.startswith(f"./{name}") for path in there)]
        check(not lacking, f"not installed: {lacking}; there are {there}")


def make_key(cluster, line):
    """Once; key and configuration are copied to the other."""
    shutil.copy(cluster.config_file, f"{cluster.machine[1].root}/etc/nlb/cluster.toml")
    cluster.machine[1].sh(PATH + line)
    shutil.copytree(f"{cluster.machine[1].root}/etc/nlb", f"{cluster.machine[2].root}/etc/nlb", dirs_exist_ok=True)


def follow(cluster, line):
    if line.startswith("packaging/install-dependencies"):
        return
    if line.startswith("cmake"):
        install(cluster, line)
    elif line.startswith("nlbctl keygen"):
        make_key(cluster, line)
    elif line == "nlbctl doctor":
        cluster.wait_active(cluster.ids)
        cluster.wait_until(lambda: "All well." in cluster.machine[1].sh(PATH + line + " || true"), "the doctor finds nothing")
    elif line == "nlbctl status":
        cluster.wait_active(cluster.ids)
        shown = cluster.machine[1].sh(PATH + line)
        check(shown.count(" active ") >= 2, f"status:\n{shown}")
    else:
        for node in cluster.ids:
            cluster.machine[node].sh(PATH + (f"{line} >/run/log/nlbd.log 2>&1 &" if line == "nlbd" else line))


def test():
    with open(f"{SOURCE}/README.md") as file:
        text = file.read()
    with tempfile.TemporaryDirectory() as directory:
        first = check_configurations(text, directory)
        with Machines(nodes=2, config=first) as cluster:
            followed = commands(text)
            check(followed[-3:] == ["nlbd", "nlbctl doctor", "nlbctl status"], f"the commands end otherwise: {followed}")
            for line in followed:
                follow(cluster, line)


main(test)
