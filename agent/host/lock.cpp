// SPDX-License-Identifier: Apache-2.0
#include "agent/host/lock.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/printable.hpp"
#include "agent/host/user.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace agent {
namespace {

using filter::Descriptor;

constexpr std::size_t kShown = 200; // of another process's command line

struct AbstractName {
    sockaddr_un address{};
    socklen_t size = 0;
    const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&address); }
};

AbstractName abstract_name(const std::string &interface) {
    AbstractName name;
    name.address.sun_family = AF_UNIX;
    const std::string text = "nlbd/" + interface;
    const auto length = text.copy(name.address.sun_path + 1, sizeof name.address.sun_path - 1);
    name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
    return name;
}

// " (pid 17: nlbd --config ...)", or less where less is known. A process in another PID namespace
// has pid 0 here.
std::string describe_process(pid_t pid) {
    if (pid <= 0) return "";
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    std::string command{std::istreambuf_iterator<char>(file), {}};
    while (!command.empty() && command.back() == '\0')
        command.pop_back();
    std::ranges::replace(command, '\0', ' ');
    return " (pid " + std::to_string(pid) +
           (command.empty() ? "" : ": " + printable(command, kShown)) + ")";
}

// Nothing: no process listens there, or it does not let this one ask.
std::optional<ucred> listener_of(const AbstractName &name) {
    const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ucred holder{};
    socklen_t size = sizeof holder;
    const bool known = connect(probe.get(), name.get(), name.size) == 0 &&
                       getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &holder, &size) == 0;
    return known ? std::optional(holder) : std::nullopt;
}

// An agent is root's, or the user's whom the package makes for it, or this one's.
bool may_be_an_agents(const ucred &holder) {
    if (holder.uid == 0 || holder.uid == geteuid()) return true;
    const auto packaged = find_account("nlbd");
    return packaged && holder.uid == packaged->user;
}

bool is_removed(const Descriptor &file) {
    struct stat about {};
    return fstat(file.get(), &about) == 0 && about.st_nlink == 0;
}

} // namespace

HostLock HostLock::on_interface(const std::string &interface) {
    const auto name = abstract_name(interface);
    Descriptor descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!descriptor) fail("lock interface " + interface);
    if (bind(descriptor.get(), name.get(), name.size) != 0) {
        if (errno != EADDRINUSE) fail("lock interface " + interface);
        const auto holder = listener_of(name);
        if (holder && may_be_an_agents(*holder))
            throw std::runtime_error("interface " + interface +
                                     ": is already served by another nlbd" +
                                     describe_process(holder->pid));
        return HostLock("a second nlbd on " + interface + " would not be noticed: its name is held by " +
                        (holder ? "user " + std::to_string(holder->uid) + describe_process(holder->pid)
                                : "a process that does not answer"));
    }
    if (listen(descriptor.get(), SOMAXCONN) != 0) // so that a second one can ask whose it is
        fail("lock interface " + interface);
    return HostLock(std::move(descriptor));
}

HostLock HostLock::on_directory(const std::string &run_dir) {
    const std::string file = run_dir + "/lock";
    Descriptor descriptor(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!descriptor) fail("open " + file);
    fchmod(descriptor.get(), 0600); // a process that can open it can lock it
    if (flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) fail("lock " + file);
        pid_t holder = 0;
        std::ifstream(file) >> holder;
        throw std::runtime_error("run directory " + run_dir + ": is already used by another nlbd" +
                                 describe_process(holder));
    }
    if (is_removed(descriptor)) return on_directory(run_dir);
    const std::string text = std::to_string(getpid()) + "\n";
    if (ftruncate(descriptor.get(), 0) != 0 ||
        write(descriptor.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        fail("write " + file);
    return HostLock(std::move(descriptor));
}

} // namespace agent
