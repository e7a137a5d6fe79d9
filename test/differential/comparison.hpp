// SPDX-License-Identifier: Apache-2.0
// One batch of frames before all judges.
#pragma once

#include "connections.hpp"
#include "frames.hpp"
#include "program.hpp"

#include "filter/verdict/user_verdict.hpp"

#include <array>
#include <iosfwd>
#include <memory>
#include <optional>

namespace differential {

inline constexpr unsigned kBatch = 2000; // frames

class Comparison {
  public:
    explicit Comparison(std::uint64_t seed);

    // False when the judges differ, which has been told then: the frame in hex, who said what, and
    // how to see it again.
    bool run(std::uint64_t batch, std::ostream &out);
    // How often each reason was given. False when one never was that a packet can have: the frames
    // do not show what it is given for.
    bool report(std::ostream &out) const;

  private:
    struct Judged {
        nlb_verdict user;
        filter::Verdict kernel;
        nlb_verdict plain, plain_in_kernel; // of a large frame the kernel reads a part alone
        Run ran;
    };
    struct Judges;
    using Tally = std::array<std::uint64_t, NLB_REASONS>;

    void enter(const judges::Scenario &scenario);
    Judged judge(Judges &judges, const Bytes &frame);
    // What differs, and with which frame; nothing: no difference.
    std::optional<std::string> compare(const judges::Scenario &scenario, std::uint64_t seed);
    std::string difference(const Judged &judged, const Bytes &frame) const;
    std::optional<std::string> difference(const Tally &before) const;
    Tally counted() const;

    std::uint64_t seed_;
    std::unique_ptr<filter::Datapath> datapath_;
    Program program_; // the attached one
    std::uint64_t own_mac_;
    Connections connections_;
    std::unique_ptr<nlb_state> state_; // of the user-space build
    Tally tally_{}, total_{};
};

} // namespace differential
