# SPDX-License-Identifier: Apache-2.0
"""`nlbd --user` gives that user the run directory and the state directory, and nothing that others have put in their place:
not what a link points at, and no directory that a third user may have exchanged. The start fails, in one line that names it.

No node is needed: the agent gives up root before it touches an interface.
"""

import os
import pwd
import subprocess

import netns
from harness import NLBD, Cluster, check, main

USER, STRANGER = "daemon", "nobody"


def owners(directory):
    found = {directory: os.lstat(directory).st_uid}
    for path, folders, files in os.walk(directory):
        found.update({os.path.join(path, name): os.lstat(os.path.join(path, name)).st_uid for name in folders + files})
    return found


def start(cluster, run_dir, *options):
    return subprocess.run(
        netns.command(cluster.namespace(1), [NLBD, "--config", cluster.config_file, "--node", "web1", "--run-dir", run_dir,
                                             "--user", USER, *options]),
        capture_output=True, text=True, timeout=60, preexec_fn=netns.die_with_parent)


def refused(cluster, what, words, run_dir, *options):
    before = owners(f"{cluster.directory}/treasure")
    done = start(cluster, run_dir, *options)
    print(f"{what}: {done.stderr.strip()}")
    check(owners(f"{cluster.directory}/treasure") == before, f"{what}: the user has got what was not meant for it")
    check(done.returncode == 1, f"{what}: exit code {done.returncode}")
    check(words in done.stderr and len(done.stderr.splitlines()) == 1, f"{what}: does not say {words!r}: {done.stderr}")


def try_links(cluster):
    links = "symbolic link; name the directory itself"
    top = cluster.directory
    for name in ("state", "linked", "above"):
        os.mkdir(f"{top}/{name}")
    os.chown(f"{top}/state", pwd.getpwnam(USER).pw_uid, -1)  # as after an earlier start
    os.symlink(f"{top}/treasure", f"{top}/state/state")
    refused(cluster, "a link for the state directory", links, f"{top}/state")
    os.symlink(f"{top}/treasure", f"{top}/linked/run")
    refused(cluster, "a link for the run directory", links, f"{top}/linked/run")
    os.symlink(f"{top}/treasure", f"{top}/above/link")
    refused(cluster, "a link above the run directory", links, f"{top}/above/link/inner")
    refused(cluster, "a link in the end", links, f"{top}/linked/run/")
    refused(cluster, "a link for --state-dir", links, f"{top}/fresh", "--state-dir", f"{top}/linked/run")


def try_strangers(cluster):
    """The owner of a directory can exchange what is in it."""
    changed = "others than root and that user may change"
    stranger = pwd.getpwnam(STRANGER).pw_uid
    parent = f"{cluster.directory}/treasure"
    inner = f"{parent}/inner"
    os.chown(parent, stranger, -1)
    refused(cluster, "a stranger's parent", changed, inner)
    os.chown(parent, 0, -1)
    os.chown(inner, stranger, -1)
    refused(cluster, "a stranger's directory", changed, inner)
    os.chown(inner, 0, -1)
    os.chmod(parent, 0o777)
    refused(cluster, "a parent that all may change", changed, inner)


def test():
    with Cluster(nodes=1, servers=False) as cluster:
        os.makedirs(f"{cluster.directory}/treasure/inner")
        with open(f"{cluster.directory}/treasure/inner/file", "w"):
            pass
        try_links(cluster)
        try_strangers(cluster)
        ordinary = f"{cluster.directory}/ordinary"
        said = start(cluster, ordinary).stderr
        check(f"enter {ordinary}: Permission denied; let that user pass" in said, f"a closed directory above: {said}")
        os.chmod(cluster.directory, 0o755)
        said = start(cluster, ordinary).stderr  # goes on, until it finds no bpffs there
        check(f"{ordinary}/bpf" in said, f"an ordinary directory is refused: {said}")


main(test)
