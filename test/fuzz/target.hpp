// SPDX-License-Identifier: Apache-2.0
// What every fuzz target needs: its entry, its input as a stream, and an end that says why.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace fuzz {

// The end of the process, sanitizer or not: both libFuzzer and the replay keep the input then.
inline void expect(bool good, const char *what) {
    if (good) return;
    std::fprintf(stderr, "expected: %s\n", what);
    std::abort();
}

// An input cut into numbers and pieces; at its end come zeros and empty pieces.
class Input {
  public:
    Input(const std::uint8_t *data, std::size_t size) : rest_(data, size) {}

    bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const std::uint8_t value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::uint16_t big16() {
        const unsigned high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    std::span<const std::uint8_t> piece(std::size_t size) {
        const auto taken = rest_.first(std::min(size, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    std::span<const std::uint8_t> rest() { return piece(rest_.size()); }

  private:
    std::span<const std::uint8_t> rest_;
};

} // namespace fuzz
