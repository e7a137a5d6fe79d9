// SPDX-License-Identifier: Apache-2.0
//
// Which of root's rights the agent keeps. As root it reads the configuration and the key, and hands
// its directories over to a user of its own; then it becomes that user, and keeps a handful of
// capabilities. Everything else it does as that user, from the first socket on: what works at the
// start works as well when it is repeated hours later.
//
// Capabilities kept: CAP_NET_ADMIN (addresses, sysctls, links, tc), CAP_NET_RAW (packet sockets),
// CAP_NET_BIND_SERVICE (ports below 1024, where they are configured), CAP_BPF (programs), CAP_PERFMON
// (until they are loaded), CAP_SYS_NICE and CAP_IPC_LOCK (to be in time). The monitor (monitor/) does what needs
// other rights of root's.
#pragma once

#include <string>
#include <vector>

namespace agent {

// directories: made when missing, given to the user with what is in them. Returns why it
// remains root: the kernel has no CAP_BPF (before 5.8), or it may not change its user; empty: done.
// Throws when the user does not exist or the directories cannot be given: they are behind symbolic
// links, or a third user may change them or the directory that they are in. Call before threads are
// started.
std::string become_user(const std::string &name, const std::vector<std::string> &directories);

// Gives a capability up for good, for this thread and those that it starts; nothing of root's.
void give_up(int capability);

// Gives up all other capabilities for good, and keeps those of the list that the process has. Throws.
void keep_only(const std::vector<int> &kept);

// For root's own command: becomes the owner of `path`, with nothing of root but these capabilities,
// those that it had. What that user's process says can do no harm then that the user could not do
// itself. Nothing is changed when this is not root, or the path root's or not there; a link counts as
// itself. Throws.
void become_owner_of(const std::string &path, const std::vector<int> &kept);

// Whether this process can run commands as other users.
bool can_change_user();

} // namespace agent
