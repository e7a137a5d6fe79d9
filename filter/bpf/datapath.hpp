// SPDX-License-Identifier: Apache-2.0
//
// What the datapaths in the kernel share: tables, counters, rings, the judge program, pins. Which
// program sees packets, and how it is attached, is each one's own.
#pragma once

#include "filter/bpf/programs.hpp"
#include "filter/bpf/tc_filter.hpp"
#include "filter/state_datapath.hpp"

#include <string>
#include <utility>

struct ring_buffer;

namespace filter::bpf {

class BpfDatapath : public StateDatapath {
  public:
    int missed_descriptor() const override;
    std::uint32_t take_missed() override;
    int refused_descriptor() const override;
    std::vector<std::vector<std::uint8_t>> take_refused(std::size_t most) override;
    int neighbours_descriptor() const override;
    std::vector<std::vector<std::uint8_t>> take_neighbours(std::size_t most) override;
    Verdict judge(const std::vector<std::uint8_t> &frame) override;
    void set_paths(const Paths &paths) override;
    Paths paths() const override;
    void set_numbers(const Numbers &numbers) override;
    std::vector<std::uint64_t> sent() const override;
    std::optional<std::string> flaw(const InPlace &seen) final;
    std::vector<std::string> heal(const InPlace &seen) final;
    std::uint32_t program() const override { return program_id(programs_.counting(0)); }
    bool adopted() const override { return programs_.adopted(); }
    void keep() override;

  protected:
    BpfDatapath(const std::string &interface, const std::string &pin_dir, const Settings &settings,
                Object object);

    const Interface &interface() const { return interface_; }
    const Programs &programs() const { return programs_; }
    Pins &pins() { return pins_; }
    bool has_predecessor() const { return has_predecessor_; }
    bool predecessor_made_hook() const { return predecessor_made_hook_; }
    // Throws Occupied when another nlbd's filter of this role hangs on the interface.
    void require_no_other(TcRole role) const;
    void attached(TcFilter &filter);    // remembers whose the hook is
    void pin();                         // all that is not pinned yet, or is another's
    nlb_state &state() const override { return programs_.state(); }

    // With their names: the maps, and what else is to outlive the process.
    virtual std::vector<std::pair<std::string, int>> pinned() const;
    virtual std::optional<std::string> detached(const InPlace &seen) const = 0; // which program is not in its place
    // Puts back what is not in its place, and says so.
    virtual void attach_again(const InPlace &seen, std::vector<std::string> &done) = 0;

  private:
    struct CloseRing {
        void operator()(ring_buffer *ring) const;
    };
    using Ring = std::unique_ptr<ring_buffer, CloseRing>;

    Ring open_ring(int map, int (*handler)(void *, void *, std::size_t));
    static int ignore(void *, void *, std::size_t) { return 0; } // `missed` says it all
    static int keep_frame(void *self, void *data, std::size_t);
    std::vector<std::vector<std::uint8_t>> take(const Ring &ring, std::size_t most);
    void run_judge(const std::vector<std::uint8_t> &frame);
    std::vector<nlb_counters> counters_by_cpu() const;
    void wait_for_readers(Clock::time_point retired) override;
    void forget_tables_counted() override;
    nlb_counters sum() const override;

    Interface interface_;
    Pins pins_;
    bool has_predecessor_, predecessor_made_hook_;
    Programs programs_;
    Ring alarm_, refused_, neighbours_;
    std::vector<std::vector<std::uint8_t>> taken_;
    std::size_t most_ = 0;
};

// What an agent that was killed has left, once this process has a datapath of the other kind in its place.
void remove(const std::string &interface, const std::string &pin_dir);

} // namespace filter::bpf
