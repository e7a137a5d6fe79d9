// SPDX-License-Identifier: Apache-2.0
//
// A program on an interface's tc hook. It is replaced under a fixed handle, so no packet passes in
// between; and it outlives a process that is killed.
#pragma once

#include "filter/interface.hpp"

#include <cstdint>
#include <functional>

namespace filter::bpf {

// Each has its own handle, so that a leftover is found and says what it is, and other programs'
// filters are not touched.
enum class TcRole : std::uint32_t { second_lock = 0x6e6c6264, judge = 0x6e6c6265 }; // "nlbd", and one more

// The first filter of the interface's ingress.
class TcFilter {
  public:
    // hook_is_ours: a predecessor made the hook, so it is ours to remove.
    TcFilter(const Interface &interface, TcRole role, int program, bool hook_is_ours);
    TcFilter(const TcFilter &) = delete;
    ~TcFilter();

    bool hook_is_ours() const { return hook_is_ours_; }
    std::function<bool()> is_attached() const; // for any thread; throws when the kernel does not say
    void attach();            // also in place of whatever has taken its place; throws
    void keep() { kept_ = true; }

  private:
    Interface interface_;
    TcRole role_;
    int program_;
    bool hook_is_ours_;
    std::uint32_t place_ = 0; // on the hook
    bool kept_ = false;
};

// Removes what a process that was killed has left. The hook stays while another filter hangs on it.
void remove_tc_filter(int interface_index, TcRole role, bool hook_is_ours);
// It can be asked for without a right.
bool has_tc_filter(int interface_index, TcRole role);

} // namespace filter::bpf
