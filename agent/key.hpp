// SPDX-License-Identifier: Apache-2.0
//
// The cluster key: 32 random bytes, the same on every node, from which every secret in use is
// derived. In its file it is one line of 64 hexadecimal digits that only the owner may read.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace agent {

using ClusterKey = std::array<std::uint8_t, 32>;

// Throws std::runtime_error `read key FILE: cause; way out`.
ClusterKey load_key(const std::string &file);

std::string generate_key();                  // one line of text, without the newline
void write_new_key(const std::string &file); // mode 0600, never overwrites; throws `write key FILE:
                                             // cause; way out`

// Independent subkeys, for the packet hash, the beats and the commands between nodes: who learns
// one learns nothing of the others.
std::array<std::uint8_t, 16> hash_key(const ClusterKey &key);
std::array<std::uint8_t, 32> beat_key(const ClusterKey &key);

// X25519 key pairs for CurveZMQ, one for whoever listens and one for whoever connects: with a
// single pair for both, what one role has sealed could be handed to it in the other.
struct CurveKeys {
    std::array<std::uint8_t, 32> open, secret;
};
CurveKeys listener_keys(const ClusterKey &key);
CurveKeys caller_keys(const ClusterKey &key);

} // namespace agent
