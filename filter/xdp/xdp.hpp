// SPDX-License-Identifier: Apache-2.0
// The datapath in the kernel, and a look at its packets from another process.
#pragma once

#include "filter/capture.hpp"
#include "filter/datapath.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace filter::xdp {

// Loads and attaches the XDP and tc programs to the interface (in the calling process's network namespace).
// pin_dir: a bpffs directory for links and maps, so that they outlive the process.
// steps_down: gets why it is not the mode that was tried first.
// Throws std::runtime_error, "verb object: cause", with the way out; nothing of its own is left
// behind then, and what an agent that was killed has left keeps the node silent until remove.
std::unique_ptr<Datapath> attach(const std::string &interface, XdpMode mode, const std::string &pin_dir,
                                     const Settings &settings, std::vector<StepDown> *steps_down = nullptr);

// What an agent that was killed has left, once this process has a datapath of the other kind in its place.
void remove(const std::string &interface, const std::string &pin_dir);

// Looks at the XDP datapath whose links and maps are there. They may be whoever's: what is not as the
// agent of this version makes it is refused. Throws std::runtime_error.
std::unique_ptr<Capture> capture(const std::string &pin_dir);

} // namespace filter::xdp
