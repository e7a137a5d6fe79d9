// SPDX-License-Identifier: Apache-2.0
//
// Why the view changed, as a difference of two views that were applied one after the other. A view
// that does several things at once counts under each.
#pragma once

#include "heartbeat/types.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace agent {

enum class ViewCause : std::uint8_t {
    join,          // a member that was not there
    leave,         // one is gone that had given its buckets back: weight 0
    death,         // one is gone that had not
    restart,       // a member's life has ended, and its next one is in
    weight,        //
    eligibility,   // for which rules: health, or an order
    configuration, // a reload
    leader,        // another one, with the same members
};
inline constexpr auto kViewCauses = static_cast<std::size_t>(ViewCause::leader) + 1;
std::string_view to_string(ViewCause cause);

class ViewChanges {
  public:
    void applied(const heartbeat::View &view);
    std::uint64_t count(ViewCause cause) const { return counts_[static_cast<std::size_t>(cause)]; }

  private:
    bool compare_members(const heartbeat::View &view);
    bool compare(const heartbeat::Member *before, const heartbeat::Member *after);
    bool add(ViewCause cause);

    heartbeat::View last_;
    std::array<std::uint64_t, kViewCauses> counts_{};
    std::array<bool, kViewCauses> counted_{}; // of the present view
};

} // namespace agent
