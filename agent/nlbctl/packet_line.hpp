// SPDX-License-Identifier: Apache-2.0
// A packet in a few words, for people: source, destination and kind.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace agent {

// "198.51.100.7:40000 > 192.0.2.100:80 tcp SYN"; what cannot be read is left out.
std::string packet_line(std::span<const std::uint8_t> frame);

} // namespace agent
