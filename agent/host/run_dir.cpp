// SPDX-License-Identifier: Apache-2.0
// Everything is made at the one given path, and removed by what is found there.
#include "agent/host/run_dir.hpp"

#include "agent/base/failure.hpp"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

constexpr const char *kMountSource =
    "nlbd"; // what /proc/self/mountinfo shows as the source of our mounts

bool is_on(const std::string &path, long magic) {
    struct statfs about {};
    return statfs(path.c_str(), &about) == 0 && static_cast<long>(about.f_type) == magic;
}

// Whether an agent has mounted what is there. Fields of mountinfo: proc(5).
bool mounted_by_agent(const std::string &path) {
    std::ifstream mounts("/proc/self/mountinfo");
    std::error_code ignored;
    const std::string point = std::filesystem::weakly_canonical(path, ignored);
    bool ours = false;
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream fields(line);
        std::string skipped, where, word;
        fields >> skipped >> skipped >> skipped >> skipped >> where;
        while (fields >> word && word != "-")
            continue;
        std::string type, source;
        fields >> type >> source;
        if (where == point) ours = source == kMountSource; // the last one is on top
    }
    return ours;
}

void mount_on(const std::string &path, const char *type, long magic, const char *options) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail("make " + path, "run it as root");
    if (is_on(path, magic)) return;
    if (mount(kMountSource, path.c_str(), type, MS_NOSUID | MS_NODEV | MS_NOEXEC, options) != 0)
        fail("mount a " + std::string(type == std::string("bpf") ? "bpffs" : type) + " on " + path,
             "run it as root, with CAP_SYS_ADMIN, or mount one there before");
}

// Except for the files that some kernels put into every bpffs.
std::size_t count_entries(const std::string &directory) {
    std::error_code ignored;
    std::size_t count = 0;
    std::filesystem::directory_iterator at(directory, ignored), end;
    for (; at != end; at.increment(ignored))
        count += at->path().extension() != ".debug";
    return count;
}

// What was not made by an agent, or holds something, stays: what a killed agent has left, for one,
// after a start that failed.
void unmount(const std::string &path) {
    if (mounted_by_agent(path) && count_entries(path) == 0) umount2(path.c_str(), 0);
    rmdir(path.c_str());
}

std::string marker(const std::string &run_dir) { return run_dir + "/made-by-nlbd"; }

} // namespace

RunDir::RunDir(const std::string &path) : path_(path) {
    make();
    try {
        lock_.emplace(HostLock::on_directory(path_));
    } catch (...) {
        rmdir(path_.c_str()); // in vain when another agent is in there, which is meant
        throw;
    }
}

RunDir::~RunDir() { remove(); }

void RunDir::make() {
    const std::string way_out = "choose another with --run-dir, or run it as root";
    if (mkdir(path_.c_str(), 0755) == 0) {
        if (!std::ofstream(marker(path_))) fail("write " + marker(path_), way_out);
        return;
    }
    if (errno != EEXIST) fail("make run dir " + path_, way_out);
    if (std::filesystem::is_directory(path_)) return;
    errno = ENOTDIR;
    fail("use run dir " + path_, way_out);
}

void RunDir::mount_bpf() { mount_on(bpf(), "bpf", BPF_FS_MAGIC, "mode=0700"); }

void RunDir::mount_tables() {
    mount_on(tables(), "tmpfs", TMPFS_MAGIC, "mode=0700,size=16m"); // /run is one already
}

// Each step fails harmlessly when there is nothing to remove or when other files are in the
// way.
void RunDir::remove() {
    const bool made_here = access(marker(path_).c_str(), F_OK) == 0;
    unmount(bpf());
    unmount(tables());
    unlink((path_ + "/lock").c_str());
    rmdir((path_ + "/state").c_str()); // where no orders are
    if (!made_here || count_entries(path_) > 1)
        return; // such as orders, which are to be found again
    unlink(marker(path_).c_str());
    rmdir(path_.c_str());
}

} // namespace agent
