// SPDX-License-Identifier: Apache-2.0
#include "filter/bpf/pins.hpp"

#include "filter/failure.hpp"

#include <bpf/bpf.h>
#include <cerrno>
#include <cstdio>
#include <linux/magic.h>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace filter::bpf {

namespace {

constexpr const char *kPinNames[] = {"link",          "state",   "counters",  kShownPin,
                                     kShownCountsPin, kPathsPin, kNumbersPin, kSentPin};

bool is_bpffs(const std::string &path) {
    struct statfs info {};
    return statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

} // namespace

Pins::Pins(std::string directory) : directory_(std::move(directory)) {
    bool made = mkdir(directory_.c_str(), 0700) == 0;
    if (!made && errno != EEXIST)
        fail("make " + directory_, errno,
             "`mount -t bpf bpf " + directory_ + "` makes it possible");
    if (!is_bpffs(directory_)) {
        if (made) rmdir(directory_.c_str());
        throw std::runtime_error("pin BPF objects in " + directory_ +
                                 ": not a bpffs: `mount -t bpf bpf " + directory_ + "`");
    }
}

Pins::~Pins() {
    for (const char *name : kPinNames)
        if (ours_) unlink((directory_ + "/" + name).c_str());
    rmdir(directory_.c_str()); // stays when it is a mount point, or holds something
}

Descriptor Pins::open(const std::string &name) const {
    return Descriptor(bpf_obj_get((directory_ + "/" + name).c_str()));
}

void Pins::put(const std::string &name, int fd) {
    take_over();
    std::string path = directory_ + "/" + name, fresh = path + "_new";
    unlink(fresh.c_str());
    if (int error = bpf_obj_pin(fd, fresh.c_str()); error != 0) fail("pin " + path, -error);
    if (rename(fresh.c_str(), path.c_str()) != 0) {
        int error = errno;
        unlink(fresh.c_str());
        fail("pin " + path, error);
    }
}

bool Pins::has(const std::string &name) const {
    return access((directory_ + "/" + name).c_str(), F_OK) == 0;
}

void Pins::remove(const std::string &name) const { unlink((directory_ + "/" + name).c_str()); }

} // namespace filter::bpf
