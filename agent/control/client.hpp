// SPDX-License-Identifier: Apache-2.0
// The command's end of the control socket: one question, one answer, bounded in time.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace agent {

// No agent listens in this run directory, or it did not reply in time: the text says which, and the way out.
struct NoAgent : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Sends one request and returns the reply. Throws NoAgent, or std::runtime_error when the socket
// cannot be used.
std::string ask(const std::string &run_dir, const std::string &request,
                std::chrono::milliseconds patience = std::chrono::seconds(2));

} // namespace agent
