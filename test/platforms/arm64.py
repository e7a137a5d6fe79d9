# SPDX-License-Identifier: Apache-2.0
"""Debian on arm64, emulated: the package cross-built for it, tests cross-built beside it, and each size of pages that its
kernels come with.

Nothing of arm64 runs outside the machine: packages are unpacked and not configured, and what comes of it is the machine's
first file system, whole, in memory.
"""

import glob
import hashlib
import os

from machine import CCACHE, KEPT, SOURCE, Platform, _quietly, _write

PACKAGES = ["?essential", "bash", "python3", "iproute2", "nftables", "kmod", "procps"]
PAGES = {"bookworm": [""], "trixie": ["", "-16k"]}  # what follows Debian's name of each

# The tests, of the very objects that the package is made of; where jobs look for programs are the package's own.
BUILD = """
objects=$(echo build/deb/nlbd-*/obj-aarch64-linux-gnu)
cmake -DBUILD_TESTING=ON $objects >build/log
cmake --build $objects -j2 --target {targets} >>build/log || {{ cat build/log; exit 1; }}
mkdir -p build/release
ln -sfn ../${{objects#build/}}/test build/release/test
ln -sf /usr/sbin/nlbd /usr/bin/nlbctl build/release/
"""
# As if nothing was installed: apt brings all that a system consists of, and what the package depends on.
UNPACK = """
rm -rf build/packages build/files
mkdir -p build/packages/partial build/files/usr/bin build/files/usr/sbin build/files/usr/lib
: >build/nothing
apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::Status=/nlbd/build/nothing \\
    -o Dir::Cache::Archives=/nlbd/build/packages install -qy --no-install-recommends --download-only {packages} ./build/deb/nlbd_*_arm64.deb
cd build/files
for name in bin sbin lib; do ln -s usr/$name $name; done
for package in ../packages/*.deb ../deb/nlbd_*_arm64.deb; do
    dpkg-deb --fsys-tarfile $package | tar -x --keep-directory-symlink --exclude=./usr/share/doc --exclude=./usr/share/man \\
        --exclude=./usr/share/locale --exclude=./usr/include --exclude='*.a' --exclude='./boot/System.map*' \\
        --exclude='./usr/lib/linux-image-*'
done
cp -a /usr/lib/aarch64-linux-gnu/libboost_unit_test_framework.so.* usr/lib/aarch64-linux-gnu/ # the tests'
ln -sf mawk usr/bin/awk
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
for modules in usr/lib/modules/*; do # of the drivers, those of devices that there are
    rm -rf $modules/kernel/sound
    find $modules/kernel/drivers -name '*.ko*' ! -path '*/virtio/*' ! -path '*/drivers/net/*' -delete
    find $modules/kernel/drivers/net -mindepth 2 -name '*.ko*' ! -path '*/bonding/*' -delete
    depmod -b /nlbd/build/files/usr ${{modules##*/}}
done
"""
PACK = "cd build/files; find . -path ./boot -prune -o -print0 | cpio --quiet -0 -o -H newc >../files.cpio"

FIRST_PROCESS = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin
mkdir -p /proc /sys /dev /run /tmp /nlbd /share
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
modprobe -a virtio_pci 9p 9pnet_virtio
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro source /nlbd
exec /nlbd/test/platforms/init
"""


class Arm64(Platform):
    """A release of Debian on arm64. Its root is the one in which packages are cross-built; the machine's files are another."""

    def __init__(self, release):
        self._take(release, f"{KEPT}/{release}-arm64", f"{KEPT}/{release}/package-arm64")
        self.build_directory = f"{KEPT}/{release}/deb-arm64"  # where packaging/build-deb builds
        self.files = f"{self.build_directory}/files"
        _quietly(f"{release}: packaging/build-deb", [f"{SOURCE}/packaging/build-deb", "--arch", "arm64", "--release", release,
                                                     self.directory])
        self._install(*(["ccache"] if CCACHE else []), "cpio", "kmod", "libboost-test-dev:arm64")

    def build(self, *targets):
        self.inside(BUILD.format(targets=" ".join(sorted(set(targets) - {"nlbd", "nlbctl"}))))

    def image(self):
        """What a machine finds in its memory: all its files. Made of packages and the first process, anew with each package
        of nlbd that is another."""
        kernels = [f"linux-image-arm64{pages}" for pages in PAGES[self.release]]
        unpack = UNPACK.format(packages=" ".join([*PACKAGES, *kernels]))
        package, = glob.glob(f"{self.build_directory}/deb/nlbd_*_arm64.deb")
        with open(package, "rb") as file:
            key = hashlib.sha256(file.read() + (unpack + PACK + FIRST_PROCESS).encode()).hexdigest()[:16]
        made = f"{self.build_directory}/{key}.cpio"
        if not os.path.exists(made):
            for former in glob.glob(f"{self.build_directory}/*.cpio*"):
                os.remove(former)
            self.inside(unpack)
            _write(f"{self.files}/sbin/machine", FIRST_PROCESS, 0o755)
            self.inside(PACK)
            os.rename(f"{self.build_directory}/files.cpio", made)
        return made

    def own_kernels(self):
        """One for each size of pages, that of 4 KiB first."""
        return sorted(os.path.basename(path).removeprefix("vmlinuz-") for path in glob.glob(f"{self.files}/boot/vmlinuz-*"))

    def emulator(self, kernel):
        return ["qemu-system-aarch64", "-M", "virt", "-cpu", "max,pauth-impdef=on", "-m", "3072",
                "-kernel", f"{self.files}/boot/vmlinuz-{kernel}", "-initrd", self.image(),
                "-append", "rdinit=/sbin/machine console=ttyAMA0 quiet panic=-1"]
