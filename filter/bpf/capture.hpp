// SPDX-License-Identifier: Apache-2.0
// A look at the packets of a datapath in the kernel, from another process.
#pragma once

#include "filter/capture.hpp"

#include <memory>
#include <string>

namespace filter::bpf {

// Looks at the datapath whose maps are there. Any process may have made them: maps that
// differ from those of this version's agent are refused. Throws std::runtime_error.
std::unique_ptr<Capture> capture(const std::string &pin_dir);

} // namespace filter::bpf
