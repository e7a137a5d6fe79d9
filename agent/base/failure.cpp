// SPDX-License-Identifier: Apache-2.0
#include "agent/base/failure.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace agent {

void fail(const std::string &what, const std::string &way_out) {
    throw std::runtime_error(what + ": " + std::generic_category().message(errno) +
                             (way_out.empty() ? "" : "; " + way_out));
}

} // namespace agent
