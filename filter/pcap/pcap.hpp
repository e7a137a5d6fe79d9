// SPDX-License-Identifier: Apache-2.0
// The datapath in user space, and a look at its packets from another process.
#pragma once

#include "filter/capture.hpp"
#include "filter/datapath.hpp"

#include <memory>
#include <string>

namespace filter::pcap {

// Captures, judges and delivers in a thread of this process. directory: on a tmpfs, for what outlives it.
// Throws std::runtime_error, "verb object: cause", with the way out; nothing of its own is left behind
// then, and what an agent that was killed has left keeps the node silent until remove.
std::unique_ptr<Datapath> attach(const std::string &interface, const std::string &directory,
                                      const Settings &settings);

// What an agent that was killed has left, once this process has a datapath of the other kind in its place.
void remove(const std::string &interface, const std::string &directory);

// Looks at the thread of the pcap datapath of this directory. Throws std::runtime_error.
std::unique_ptr<Capture> capture(const std::string &directory);

} // namespace filter::pcap
