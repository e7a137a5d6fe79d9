# SPDX-License-Identifier: Apache-2.0
"""Debian as servers run it, emulated: a release's own kernel, libraries and compilers, and this tree built with them.

    platform = Platform("trixie")            # its root, kept under build/platforms/
    platform.build("nlbd", "nlbctl")         # in that root, as a user would; kept as well
    with Machine(platform) as machine:       # up in some twenty seconds
        machine.run("uname", "-r")

The tree is /nlbd in the machine and read-only there, /nlbd/build is the release's own build directory. The disk is a
snapshot: what a machine writes elsewhere ends with it. Software emulation (tcg) works everywhere, also where there is
no /dev/kvm; a machine has as little time as that leaves.
"""

import atexit
import ctypes
import fcntl
import glob
import hashlib
import mmap
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{SOURCE}/test/net")

from netns import die_with_parent  # noqa: E402

KEPT = f"{SOURCE}/build/platforms"
HERE = f"{SOURCE}/test/platforms"

# What a machine needs over what `packaging/install-dependencies build demo` brings.
PACKAGES = ["linux-image-amd64", "kmod", "ethtool", "procps", "tcpdump", "nftables", "ipvsadm"]

CARDS = ("virtio-net-pci", "vmxnet3", "e1000e")  # of jobs/cards.py

# Debian's initramfs with what these machines' disk and shares need, and nothing else: it is unpacked in emulation.
INITRAMFS = {
    "conf.d/machine": "MODULES=list\nCOMPRESS=gzip\n",
    "hooks/machine": """#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules ext4 virtio_pci virtio_blk 9p 9pnet_virtio
"""}
FIRST_PROCESS = """#!/bin/sh
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro source /nlbd
exec /nlbd/test/platforms/init
"""


# Where this machine has a ccache, the builds use it, too.
CCACHE = shutil.which("ccache") and subprocess.run(["ccache", "-k", "cache_dir"], capture_output=True, text=True,
                                                   check=True).stdout.strip()
CCACHE_ENVIRONMENT = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache", "CCACHE_DIR": "/mnt", "CCACHE_BASEDIR": "/nlbd",
                      "CCACHE_NOHASHDIR": "1", "CCACHE_SLOPPINESS": "pch_defines,time_macros"}


class Failed(Exception):
    """A machine or what was to run in it has failed; the text says all."""


def _quietly(what, words, **options):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          preexec_fn=die_with_parent, **options)
    if done.returncode != 0:
        raise Failed(f"{what}: exit {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def _write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    os.chmod(path, mode)


def counter_khz():
    """How fast this processor's time stamp counter is, which is an emulated one's as well."""
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as code:
        code.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))  # rdtsc; shl $32, %rdx; or %rdx, %rax; ret
        place = ctypes.c_char.from_buffer(code)
        counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(place))
        began, count = time.monotonic_ns(), counter()
        time.sleep(0.5)
        ended, counted = time.monotonic_ns(), counter()
        del place
    return (counted - count) * 1000000 // (ended - began)


class Platform:
    """A release of Debian: its root and what is built in it. packages: more than every machine has."""

    def __init__(self, release, packages=()):
        self._take(release, f"{KEPT}/{release}", f"{KEPT}/{release}/root")
        self._make_root([*PACKAGES, *(["ccache"] if CCACHE else []), *packages])

    def _take(self, release, directory, root):
        self.release, self.directory, self.root = release, directory, root
        self.build_directory = f"{directory}/build"
        os.makedirs(self.build_directory, exist_ok=True)
        self._lock = open(f"{directory}/lock", "w")  # held until this process ends
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        for left in glob.glob(f"{directory}/share.*"):  # by a run that was killed
            shutil.rmtree(left)

    def _install(self, *packages):
        if subprocess.run([f"{HERE}/root", self.release, self.root, *packages], timeout=1800).returncode != 0:
            raise Failed(f"{self.release}: its root cannot be made; why is said above")

    def _make_root(self, packages):
        self._install()
        for name, text in INITRAMFS.items():
            _write(f"{self.root}/etc/initramfs-tools/{name}", text, 0o755)
        _write(f"{self.root}/sbin/machine", FIRST_PROCESS, 0o755)
        for directory in ("nlbd", "share"):
            os.makedirs(f"{self.root}/{directory}", exist_ok=True)
        self._install(*packages)
        self.inside("packaging/install-dependencies build demo")

    def inside(self, script):
        """Runs a shell script in the root, in /nlbd; its output. Nothing stays mounted, however it ends."""
        mounts = f"""
            mount --rbind /dev {self.root}/dev
            mount -t proc proc {self.root}/proc
            mount --bind {SOURCE} {self.root}/nlbd
            mount -o remount,bind,ro {self.root}/nlbd
            mount --bind {self.build_directory} {self.root}/nlbd/build
            {f"mount --bind {CCACHE} {self.root}/mnt" if CCACHE else ""}
            exec chroot {self.root} bash -euc {shlex.quote("cd /nlbd; " + script)}"""
        if CCACHE:
            os.makedirs(CCACHE, exist_ok=True)
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                       **(CCACHE_ENVIRONMENT if CCACHE else {})}
        environment.update({name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")})
        return _quietly(f"{self.release}: {script}", ["unshare", "--mount", "--propagation", "private", "--pid", "--fork",
                                                      "--kill-child", "bash", "-euc", mounts], env=environment)

    def build(self, *targets):
        self.inside(f"cmake --preset release >/dev/null && cmake --build --preset release -j2 --target {' '.join(targets)}")

    def build_former(self):
        """The agent of the release before this one: /nlbd/build/former/nlbd in the machine."""
        unpacked = _quietly("the former release", [f"{HERE}/former", "--unpack", f"{self.build_directory}/former"]).strip()
        directory = f"/nlbd/build/former/{os.path.basename(unpacked)}"
        self.inside(f"cd {directory} && cmake --preset release >/dev/null && cmake --build --preset release -j2 --target nlbd && "
                    "ln -sf $PWD/build/release/nlbd /nlbd/build/former/nlbd")

    def image(self):
        """The root as a disk, made anew when other packages are in it."""
        with open(f"{self.root}/var/lib/dpkg/status", "rb") as status:
            key = hashlib.sha256(status.read() + repr((INITRAMFS, FIRST_PROCESS)).encode()).hexdigest()[:16]
        disk = f"{self.directory}/{key}.ext4"
        if not os.path.exists(disk):
            for former in glob.glob(f"{self.directory}/*.ext4*"):
                os.remove(former)
            used = int(_quietly("du", ["du", "-sm", self.root]).split()[0])
            _quietly("mke2fs", ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", self.root, f"{disk}.new",
                                f"{used * 5 // 4 + 512}M"])
            os.rename(f"{disk}.new", disk)
        return disk

    def emulator(self, kernel):
        """The emulator, and what it boots. The kernel is told how fast the processor's counter is: where the host is busy
        while it measures that itself, its clock runs several times too fast."""
        return ["qemu-system-x86_64", "-m", "2048", "-kernel", f"{self.root}/boot/vmlinuz-{kernel}",
                "-initrd", f"{self.root}/boot/initrd.img-{kernel}", "-append",
                "root=/dev/vda rw init=/sbin/machine console=ttyS0 quiet panic=-1 no_timer_check nopti "
                f"tsc=reliable tsc_early_khz={counter_khz()}",
                "-drive", f"file={self.image()},format=raw,if=virtio,snapshot=on"]

    def kernels(self):
        """The kernels that are installed, the oldest first."""
        found = [os.path.basename(path).removeprefix("vmlinuz-") for path in glob.glob(f"{self.root}/boot/vmlinuz-*")]
        return sorted(found, key=lambda kernel: [int(number) for number in re.findall(r"\d+", kernel)])

    def own_kernels(self):
        """The release's own, without those of its backports."""
        return self.kernels()[:1]


class Machine:
    """A running machine. It has no network but that within: each of CARDS at one end of a cable, a virtio card at the other.
    Their MAC addresses tell the cable and the end: 52:54:00:00:CABLE:END, END 00 for the card of that model. No driver is
    loaded until a job does it."""

    def __init__(self, platform, kernel=None, processors=2):
        self.platform = platform
        self.kernel = kernel or platform.own_kernels()[0]
        self.share = tempfile.mkdtemp(prefix="share.", dir=platform.directory)
        self._count = 0

        def share(tag, path, *more):
            return ["-virtfs", ",".join(["local", f"path={path}", f"mount_tag={tag}", "security_model=none",
                                         "multidevs=remap", *more])]

        words = [*platform.emulator(self.kernel), "-accel", "tcg,thread=multi", "-smp", processors, "-nographic",
                 "-no-reboot", "-nic", "none",
                 *share("source", SOURCE, "readonly=on"), *share("build", platform.build_directory),
                 *share("share", self.share)]
        for cable, model in enumerate(CARDS):
            for end, card in enumerate((model, "virtio-net-pci")):
                words += ["-netdev", f"hubport,id=card{cable}{end},hubid={cable}",
                          "-device", f"{card},netdev=card{cable}{end},mac=52:54:00:00:{cable:02x}:{end:02x},romfile="]
        self._console = open(f"{self.share}/console", "wb")
        self._qemu = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=self._console,
                                      stderr=self._console, preexec_fn=die_with_parent)
        atexit.register(self.off)

    def __enter__(self):
        self.wait_up()
        return self

    def __exit__(self, *_):
        self.off()

    def wait_up(self, seconds=900):
        """Several machines boot at the same time when each is made before the first is waited for."""
        self._wait(f"{self.share}/up", seconds, "the machine boots")

    def _held_up(self):
        """How long (s) the host's other programs have kept that one of the machine's processors waiting which waited most."""
        waited = [0]
        for path in glob.glob(f"/proc/{self._qemu.pid}/task/*/schedstat"):
            try:
                with open(path) as file:
                    waited.append(int(file.read().split()[1]))
            except (OSError, IndexError):  # a thread that has ended
                pass
        return max(waited) / 1e9

    def _wait(self, path, seconds, what, progress=lambda: None, output=None):
        """seconds: of a host that leaves the machine its processors; on a busy one it takes longer, and may."""
        end, before = time.monotonic() + seconds, self._held_up()
        while not os.path.exists(path):
            progress()
            if self._qemu.poll() is not None or time.monotonic() > end and time.monotonic() > end + self._held_up() - before:
                why = "in time" if self._qemu.poll() is None else "before the machine has ended"
                said = self._read(output)[-6000:] if output and os.path.exists(f"{self.share}/{output}") else ""
                console = self._read("console")[-3000:]
                self.off()
                raise Failed(f"not {why}: {what}; it said:\n{said}\nThe console's last words:\n{console}")
            time.sleep(0.1)

    def _read(self, name):
        with open(f"{self.share}/{name}", errors="replace") as file:
            return file.read().replace("\r", "")

    def start(self, *words, shell=None):
        """Starts a program (or a shell script) in the machine; a number for finish()."""
        self._count += 1
        name = f"{self.share}/{self._count}.command"
        _write(f"{name}.new", (shell or shlex.join(map(str, words))) + "\n")
        os.rename(f"{name}.new", name)
        return self._count

    def finish(self, number, seconds=600, show=False):
        """Waits for its end: (exit code, output). show: its output is printed as it comes."""
        shown = 0

        def progress():
            nonlocal shown
            if show and os.path.exists(f"{self.share}/{number}.output"):
                text = self._read(f"{number}.output")
                sys.stdout.write(text[shown:])
                sys.stdout.flush()
                shown = len(text)

        self._wait(f"{self.share}/{number}.exit", seconds, f"command {number} ends", progress, f"{number}.output")
        progress()
        return int(self._read(f"{number}.exit")), self._read(f"{number}.output")

    def run(self, *words, shell=None, seconds=600, check_exit=True, show=False):
        """Runs a program (or a shell script) in the machine to its end: its output; with check_exit=False (exit code, output)."""
        code, output = self.finish(self.start(*words, shell=shell), seconds, show)
        if not check_exit:
            return code, output
        if code != 0:
            raise Failed(f"{shell or shlex.join(map(str, words))}: exit {code}:\n{output[-4000:]}")
        return output

    def off(self):
        """Ends the machine; called more than once without harm."""
        atexit.unregister(self.off)
        if self._qemu.poll() is None:
            self._qemu.kill()
        self._qemu.wait()
        self._console.close()
        shutil.rmtree(self.share, ignore_errors=True)
