# SPDX-License-Identifier: Apache-2.0
"""Loads the programs, no more: what each clang that Debian 12 and 13 offer makes of them, on each kernel of theirs.

The kernels: each release's own, and the newest of its backports. The objects are compiled with those of CMake's options
that decide about the code.
"""

import os
import shutil
import time

from machine import Machine, Platform

CLANGS = {"bookworm": ("clang-14", "clang-16"), "trixie": ("clang-19",)}

COMPILE = ("{clang} -target bpf -mcpu=v3 -O2 -g -I/nlbd -I/usr/include/x86_64-linux-gnu -c filter/verdict/{source}.bpf.c "
           "-o build/{clang}-{source}.bpf.o")
SOURCES = ("nlbd", "forward", "tc")  # the programs of XDP, the one in front of tc, and those of tc
LOAD = """
bpftool prog loadall /share/{name}.bpf.o /sys/fs/bpf/{name} || exit
ls /sys/fs/bpf/{name}
"""
# The kernel behind Debian's name for the newest one; the release's own stays.
BACKPORT = """
export DEBIAN_FRONTEND=noninteractive
newest=$(apt-cache depends linux-image-amd64/{release}-backports | grep -o "linux-image-[0-9][^ ]*" | head -n 1)
dpkg-query -W "$newest" >/dev/null 2>&1 || apt-get install -qy --no-install-recommends -t {release}-backports "$newest"
"""


def run(report):
    """A machine for each kernel, all objects in each."""
    platforms, objects = [], {}
    for release, clangs in CLANGS.items():
        platform = Platform(release, clangs)
        platform.inside(BACKPORT.format(release=release))
        for clang in clangs:
            for source in SOURCES:
                platform.inside(COMPILE.format(clang=clang, source=source))
                objects[f"{clang}-{source}"] = f"{platform.build_directory}/{clang}-{source}.bpf.o"
        platforms.append(platform)
    for platform in platforms:
        for kernel in platform.kernels():
            _load_all(platform, kernel, objects, report)


def _load_all(platform, kernel, objects, report):
    started = time.monotonic()
    with Machine(platform, kernel) as machine:
        for name, file in objects.items():
            shutil.copy(file, f"{machine.share}/{os.path.basename(file)}")
            code, output = machine.run(shell=LOAD.format(name=name), check_exit=False)
            report.add(f"matrix/{kernel}, {name}", started, f"exit code {code}:\n{output[-6000:]}" if code else None)
            started = time.monotonic()
