// SPDX-License-Identifier: Apache-2.0
#include "filter/failure.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace filter {

namespace {

constexpr int kEnotsupp = 524; // the kernel's own, which strerror does not know

}

std::string describe(int error) {
    return std::strerror(error == kEnotsupp ? EOPNOTSUPP : error);
}

void fail(const std::string &what, int error, const std::string &way_out) {
    throw std::runtime_error(what + ": " + describe(error) +
                             (way_out.empty() ? "" : "; " + way_out));
}

} // namespace filter
