// SPDX-License-Identifier: Apache-2.0
//
// At most one agent for each interface and for each run directory. Two agents on one interface
// would fight over its filter and its neighbours; two in one run directory over the record of what
// was changed on the host.
//
// Both locks end with the process, however it ends. The interface's is the name of an abstract unix
// socket: such names live in the network namespace, exactly as interfaces do. The run directory's
// is a lock on the file RUN_DIR/lock. Its owner may remove the file in the end: a process that
// opened it before and gets the lock then has locked a removed file, and tries again.
#pragma once

#include "filter/descriptor.hpp"

#include <optional>
#include <string>
#include <utility>

namespace agent {

class HostLock {
  public:
    // Both throw std::runtime_error when another process has it, naming that process as far as can
    // be known: `interface eth0: is already served by another nlbd (pid 17: nlbd --config
    // /etc/nlb/cluster.toml)`.
    // Every user can take a name of the first kind. A holder whose user cannot be an agent's does not
    // keep this agent from starting.
    static HostLock on_interface(const std::string &interface);
    static HostLock on_directory(const std::string &run_dir);

    // The process, not an agent, that has the name instead: a second agent would not be noticed. Nothing:
    // this one has it.
    const std::optional<std::string> &obstacle() const { return obstacle_; }

  private:
    explicit HostLock(filter::Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
    explicit HostLock(std::string obstacle) : obstacle_(std::move(obstacle)) {}
    filter::Descriptor descriptor_;
    std::optional<std::string> obstacle_;
};

} // namespace agent
