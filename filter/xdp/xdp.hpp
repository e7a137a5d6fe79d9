// SPDX-License-Identifier: Apache-2.0
// The datapath that sees frames before the network stack does.
#pragma once

#include "filter/datapath.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace filter::xdp {

// The interface's driver has no XDP: nothing to be cured.
struct Lacking : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Loads and attaches the XDP and tc programs to the interface (in the calling process's network namespace).
// pin_dir: a bpffs directory for links and maps, so that they outlive the process.
// steps_down: gets why it is not the mode that was tried first.
// Throws std::runtime_error, "verb object: cause", with the way out; nothing of its own is left
// behind then, and what an agent that was killed has left keeps the node silent until bpf::remove.
std::unique_ptr<Datapath> attach(const std::string &interface, XdpMode mode, const std::string &pin_dir,
                                     const Settings &settings, std::vector<StepDown> *steps_down = nullptr);

} // namespace filter::xdp
