// SPDX-License-Identifier: Apache-2.0
//
// What all datapaths share: their verdicts are looked up in a struct nlb_state, which the agent
// writes while others read it: BPF programs on every processor, or a thread of its own.
//
// What fits in a word is stored at once. The owner tables do not fit, so there are four copies: we
// write one that is not in use and then switch. A reader that began before the switch may still
// look at the old copy; it is written again only when no reader can be there any more. How that is
// known is each datapath's own business, and can take milliseconds, which would stall heartbeats; a
// hand-over switches twice within milliseconds: hence four copies, of which one has nearly always
// rested long enough.
#pragma once

#include "filter/datapath.hpp"
#include "filter/verdict/layout.h"

#include <chrono>

namespace filter {

class StateDatapath : public Datapath {
  public:
    void install(const Tables &tables) override;
    void set_lease(std::uint64_t deadline_ns) override;
    void set_guarded(const GroupSet &groups) override;
    void set_lingering(const GroupSet &groups) override;
    std::string_view differs(const Tables &tables, std::uint64_t deadline_ns, const GroupSet &guarded,
                             const GroupSet &lingering) const override;
    void configure(const Settings &settings, const Tables &tables) override;
    void set_disabled(std::size_t rule, bool disabled) override;
    void expect_service(std::size_t rule, bool expected,
                        const std::optional<Service> &known) override;
    std::uint32_t take_missed() override;
    void show(Shown what) override;
    std::vector<Counter> counters() const override;
    Mode mode() const final { return mode_; }
    std::vector<std::vector<Counter>> rule_counters() const override;
    std::vector<std::uint8_t> note() const override;
    void set_note(const std::vector<std::uint8_t> &bytes) override;

  protected:
    using Clock = std::chrono::steady_clock;

    explicit StateDatapath(std::size_t rules) : rules_(rules) {}

    void saw(const InPlace &seen) { mode_ = seen.mode; }
    virtual nlb_state &state() const = 0;
    // All that was counted, every reader's.
    virtual nlb_counters sum() const = 0;
    // The tables' places go to other rules: what was counted by table counts as decided without one
    // from here on.
    virtual void forget_tables_counted() = 0;
    // Each reader of the tables repeats the number that was asked last: so what is written here is
    // what is read there.
    void ask();
    bool has_answered() const;
    // Returns when no reader looks at what has been out of use since `retired`.
    virtual void wait_for_readers(Clock::time_point retired) = 0;
    // Called before a change that gives this node rights: returns when every packet that has come
    // by now has been judged. One that came earlier was the former owner's. A BPF program judges a
    // packet as it comes.
    virtual void let_earlier_packets_be_judged() {}
    // Called after a change that may have taken a right away: returns when every packet that was
    // judged before it has gone where its verdict sends it. A BPF program needs no waiting for: once
    // begun it ends within microseconds, which is less than it takes to tell a peer.
    virtual void let_packets_arrive() {}

  private:
    void switch_owners(const Tables &tables);
    bool gains(const Tables &tables) const;

    std::size_t rules_;
    Mode mode_ = Mode::none;
    std::array<Clock::time_point, NLB_OWNER_BUFFERS> retired_{};
    Clock::time_point config_retired_{};
};

const nlb_config &active_config(const nlb_state &state);
bool same(const nlb_config &one, const nlb_config &other);

// Moves what was counted by table to the row of what was decided without one; others may count.
void forget_tables(nlb_counters &counters);

} // namespace filter
