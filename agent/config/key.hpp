// SPDX-License-Identifier: Apache-2.0
//
// The cluster key: 32 random bytes, the same on every node, from which every secret in use is
// derived. In its file it is one line of 64 hexadecimal digits that only the owner may read.
//
// A key is changed while the cluster serves, in three steps, each of them a change of the file on
// every node and a `reload`: a second line is added, which is accepted from then on; the lines
// change places, and the other one is used; the old one goes. At each step neighbours in time accept
// what the other uses, so it does not matter in which order the nodes take it.
#pragma once

#include "agent/base/file.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace agent {

using ClusterKey = std::array<std::uint8_t, 32>;

struct ClusterKeys {
    ClusterKey in_use{};
    std::optional<ClusterKey> other; // accepted as well
    bool operator==(const ClusterKeys &) const = default;
    bool accept(const ClusterKey &key) const { return key == in_use || key == other; }
};

// Once, before any of what follows. Throws std::runtime_error.
void start_cryptography();

// Throws std::runtime_error `read key FILE: cause; way out`.
ClusterKeys load_keys(const std::string &file, const Opener &open = open_to_read);

std::string generate_key();                  // one line of text, without the newline
void write_new_key(const std::string &file); // mode 0600, never overwrites; throws `write key FILE:
                                             // cause; way out`
// The steps of a change: on a file with one key, with two, with two. The file is replaced as a
// whole and keeps its owner and mode. They throw like both of the above.
void add_next_key(const std::string &file);
void use_next_key(const std::string &file);
void drop_other_key(const std::string &file);

// Lets nodes check that they hold the same keys in the same places, and reveals nothing else about
// the keys.
std::uint64_t fingerprint(const ClusterKeys &keys);

// Independent subkeys for the packet hash, the beats, the doctor's probes and the commands between nodes: one
// of them reveals nothing about the others.
std::array<std::uint8_t, 16> hash_key(const ClusterKey &key);
std::array<std::uint8_t, 32> beat_key(const ClusterKey &key);
std::array<std::uint8_t, 32> probe_key(const ClusterKey &key);

// X25519 key pairs for CurveZMQ, one for the listening and one for the connecting side. With a
// single pair, a message that a node has sealed in one role could be played back to it in the
// other.
struct CurveKeys {
    std::array<std::uint8_t, 32> open, secret;
};
CurveKeys listener_keys(const ClusterKey &key);
CurveKeys caller_keys(const ClusterKey &key);

} // namespace agent
