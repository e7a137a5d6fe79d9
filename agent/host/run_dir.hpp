// SPDX-License-Identifier: Apache-2.0
//
// The run directory: the control socket, the record of what was changed on the host, and the parts of
// the filter that outlive the process: RUN_DIR/bpf, a bpffs for links and maps of a datapath in the kernel, or
// RUN_DIR/tables, a tmpfs for the tables of a pcap one. One agent at a time has it.
//
// The agent makes the directory and the mounts when they are missing, and at the end removes those that it made;
// the successor of an agent that was killed recognises them (a mount by its source, the directory by a
// file in it) and removes them in its place.
#pragma once

#include "agent/host/lock.hpp"

#include <optional>
#include <string>

namespace agent {

inline std::string bpf_in(const std::string &run_dir) { return run_dir + "/bpf"; }
inline std::string tables_in(const std::string &run_dir) { return run_dir + "/tables"; }

class RunDir {
  public:
    explicit RunDir(const std::string &path); // throws; nothing is left behind then
    ~RunDir();
    RunDir(const RunDir &) = delete;
    RunDir &operator=(const RunDir &) = delete;

    const std::string &path() const { return path_; }
    std::string bpf() const { return bpf_in(path_); }
    std::string tables() const { return tables_in(path_); }
    std::string host_record() const { return path_ + "/host"; } // for HostSetup

    // Make these mounts if they are missing. Throw.
    void mount_bpf();
    void mount_tables();

  private:
    void make();
    void remove();

    std::string path_;
    std::optional<HostLock> lock_;
};

} // namespace agent
