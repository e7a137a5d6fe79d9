#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An include against the arrows does not compile: one is tried in every room, beside one that is allowed.

The build writes down what each room's files are compiled with (rooms.txt: room, compiler, include directories). The
headers of other people's libraries all lie in one place: so which room includes which is read.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("NLBD_SOURCE_DIR", ".")
BUILD = os.environ.get("NLBD_BUILD_DIR", "build/release")

# room: (a header that it may include, those that it must not find)
ARROWS = {
    "filter/verdict": ("filter/verdict/layout.h", ["filter/datapath.hpp", "filter/bpf/pins.hpp"]),
    "filter": ("filter/verdict/layout.h", ["filter/xdp/attach.hpp", "filter/pcap/tap.hpp", "heartbeat/types.hpp"]),
    "filter/bpf": ("filter/datapath.hpp", ["filter/xdp/attach.hpp", "filter/tc/tc.hpp", "agent/base/log.hpp"]),
    "filter/xdp": ("filter/bpf/pins.hpp", ["filter/tc/tc.hpp", "filter/pcap/tap.hpp", "agent/base/log.hpp"]),
    "filter/tc": ("filter/xdp/front.hpp", ["filter/pcap/tap.hpp", "agent/base/log.hpp"]),
    "filter/nft": ("filter/address.hpp", ["filter/pcap/tap.hpp", "filter/bpf/pins.hpp", "agent/base/log.hpp"]),
    "filter/pcap": ("filter/datapath.hpp", ["filter/bpf/pins.hpp", "agent/base/log.hpp"]),
    "heartbeat": ("heartbeat/types.hpp", ["filter/address.hpp", "agent/base/log.hpp"]),
    "agent/base": ("filter/address.hpp", ["agent/config/config.hpp", "filter/xdp/attach.hpp"]),
    "agent/config": ("agent/base/log.hpp", ["agent/control/commands.hpp", "agent/host/record.hpp"]),
    "agent/host": ("agent/base/log.hpp", ["agent/config/config.hpp", "agent/node/node.hpp"]),
    "agent/web": ("agent/base/log.hpp", ["agent/report/status.hpp", "agent/config/config.hpp"]),
    "agent/node": ("agent/host/sockets.hpp", ["agent/config/config.hpp", "agent/orders/orders.hpp"]),
    "agent/frames": ("filter/pcap/ring.hpp", ["agent/node/node.hpp", "filter/xdp/attach.hpp"]),
    "agent/control": ("agent/config/config.hpp", ["agent/orders/orders.hpp", "agent/host/record.hpp"]),
    "agent/monitor": ("agent/config/config.hpp", ["agent/health/check.hpp", "agent/control/commands.hpp"]),
    "agent/health": ("agent/monitor/monitor.hpp", ["agent/node/node.hpp", "agent/control/commands.hpp"]),
    "agent/orders": ("agent/node/node.hpp", ["agent/report/status.hpp", "agent/frames/witness.hpp"]),
    "agent/report": ("agent/orders/orders.hpp", ["agent/nlbctl/render.hpp", "agent/agent.hpp"]),
    "agent/nlbctl": ("agent/control/client.hpp", ["agent/report/status.hpp", "agent/node/node.hpp"]),
    "agent": ("agent/report/status.hpp", ["agent/nlbctl/render.hpp"]),
}

# The headers of a library: the rooms that may include them
LIBRARIES = {
    "bpf/": ["filter/verdict", "filter/bpf", "filter/xdp"],
    "pcap/": ["filter/pcap"],
    "nftables/": ["filter/nft"],
    "sodium.h": ["heartbeat", "agent/base", "agent/config", "agent/control", "agent/frames", "agent/web"],
    "nlohmann/": ["agent/base"],
    "spdlog/": ["agent/base"],
    "toml++/": ["agent/config"],
    "netlink/": ["agent/host", "filter", "filter/bpf"],
    "cap-ng.h": ["agent/host"],
    "libnet.h": ["agent/frames"],
    "zmq.h": ["agent/control"],
    "microhttpd.h": ["agent/web"],
    "systemd/": ["agent/report"],
    "CLI/": ["agent", "agent/nlbctl"],
    "curses.h": ["agent/nlbctl"],
}


def strangers(room):
    """Includes of libraries that this room is not to see."""
    for file in glob.glob(f"{SOURCE}/{room}/*.[ch]*"):
        with open(file) as text:
            for header in re.findall(r"#include <([^>]+)>", text.read()):
                for library, rooms in LIBRARIES.items():
                    if header.startswith(library) and room not in rooms:
                        yield f"{os.path.relpath(file, SOURCE)}: includes {header}, which is for {', '.join(rooms)}"


def compiled(compiler, directories, header):
    """Nothing, or what the compiler says."""
    command = [compiler, "-std=c++20", "-E", "-x", "c++", "-", "-o", os.devnull]
    command += [f"-I{directory}" for directory in directories]
    with tempfile.TemporaryDirectory() as empty:  # what is read from a pipe is looked for here, too
        done = subprocess.run(command, input=f'#include "{header}"\n', capture_output=True, text=True, cwd=empty)
    return "" if done.returncode == 0 else done.stderr


def main():
    with open(os.path.join(BUILD, "rooms.txt")) as file:
        rooms = {line.split()[0]: line.split()[1:] for line in file if line.strip()}
    wrong = [f"{room}: no arrow is tried" for room in rooms.keys() - ARROWS.keys()]
    wrong += [f"{room}: is not built" for room in ARROWS.keys() - rooms.keys()]
    wrong += [stranger for room in sorted(rooms) for stranger in strangers(room)]
    for room in sorted(rooms.keys() & ARROWS.keys()):
        compiler, *directories = (word for word in rooms[room] if word != "/usr/include")
        allowed, forbidden = ARROWS[room]
        if said := compiled(compiler, directories, allowed):
            wrong.append(f"{room}: may include {allowed}, and cannot:\n{said}")
        for header in forbidden:
            if not os.path.exists(os.path.join(SOURCE, header)):
                wrong.append(f"{room}: {header} is tried, and is not there at all")
            said = compiled(compiler, directories, header)
            if f"{header}: No such file" not in said and f"'{header}' file not found" not in said:
                wrong.append(f"{room}: finds {header}, against the arrows\n{said}")
    print("\n".join(wrong) or f"{len(rooms)} rooms: no way against the arrows")
    return bool(wrong)


sys.exit(main())
