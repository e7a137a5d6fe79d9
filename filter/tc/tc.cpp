// SPDX-License-Identifier: Apache-2.0
//
// There is no second lock beside the program, because accepted packets are marked by it alone:
// without it a packet to the cluster's MAC is another host's to the stack, or a unicast packet in a
// multicast frame, which drop_unicast_in_l2_multicast discards.
#include "filter/tc/tc.hpp"

#include "filter/bpf/datapath.hpp"
#include "filter/tables.hpp"

#include <linux/if_ether.h>

#include "filter/tc/tc.skel.h"

namespace filter::tc {

namespace {

bpf::Object open_object() {
    bpf::keep_libbpf_quiet();
    return bpf::object_of<tc_bpf>(tc_bpf::open(), [](const tc_bpf &opened) {
        return std::vector{opened.progs.nlbd_ingress};
    });
}

bool ends_in_ip_header(const std::vector<std::uint8_t> &frame) {
    if (frame.size() < ETH_HLEN) return true;
    const int type = frame[12] << 8 | frame[13];
    return (type == ETH_P_IP && frame.size() < ETH_HLEN + 20) ||
           (type == ETH_P_IPV6 && frame.size() < ETH_HLEN + 40);
}

class TcDatapath final : public bpf::BpfDatapath {
  public:
    TcDatapath(const std::string &interface, const std::string &pin_dir, const Settings &settings)
        : BpfDatapath(interface, pin_dir, settings, open_object()),
          filter_(free_interface(), bpf::TcRole::judge, programs().counting(0), predecessor_made_hook()) {
        attached(filter_);
        pin();
        remove_xdp();
    }

    std::string_view kind() const override { return "tc"; }

    Mode mode_now() const override { return filter_.is_attached() ? Mode::clsact : Mode::none; }

    // The kernel runs no tc program on a frame whose IP header is cut off, as if none ever came.
    Verdict judge(const std::vector<std::uint8_t> &frame) override {
        if (ends_in_ip_header(frame)) return to_verdict({NLB_TOO_SHORT, -1, -1});
        return BpfDatapath::judge(frame);
    }

    void keep() override {
        filter_.keep();
        BpfDatapath::keep();
    }

  private:
    std::optional<std::string> detached() override {
        if (!filter_.is_attached())
            return "the tc filter nlbd_ingress is not attached to " + interface().name;
        return std::nullopt;
    }

    void attach_again(std::vector<std::string> &done) override {
        if (filter_.is_attached()) return;
        filter_.attach();
        attached(filter_);
        done.push_back("tc filter nlbd_ingress on " + interface().name);
    }

    // A second lock alone is what an XDP datapath has left that is gone.
    const Interface &free_interface() const {
        require_no_other(bpf::TcRole::judge);
        if (bpf::has_xdp(interface().index)) require_no_other(bpf::TcRole::second_lock);
        return interface();
    }

    // The second lock first: it lets nothing in that XDP has not seen.
    void remove_xdp() {
        bpf::remove_tc_filter(interface().index, bpf::TcRole::second_lock, false);
        bpf::detach_link(pins().open("link"));
        pins().remove("link");
    }

    bpf::TcFilter filter_;
};

} // namespace

std::unique_ptr<Datapath> attach(const std::string &interface, const std::string &pin_dir,
                                 const Settings &settings) {
    return std::make_unique<TcDatapath>(interface, pin_dir, settings);
}

} // namespace filter::tc
