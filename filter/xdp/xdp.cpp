// SPDX-License-Identifier: Apache-2.0
//
// The XDP datapath: an XDP program in front of an interface, and a tc program behind it.
#include "filter/xdp/xdp.hpp"

#include "filter/bpf/datapath.hpp"
#include "filter/xdp/attach.hpp"

#include "filter/xdp/nlbd.skel.h"

namespace filter::xdp {

namespace {

enum Counting : std::size_t { kXdp, kTc };

bpf::Object open_object() {
    bpf::keep_libbpf_quiet();
    return bpf::object_of<nlbd_bpf>(nlbd_bpf::open(), [](const nlbd_bpf &opened) {
        return std::vector{opened.progs.nlbd_xdp, opened.progs.nlbd_tc};
    });
}

class XdpDatapath final : public bpf::BpfDatapath {
  public:
    XdpDatapath(const std::string &interface, XdpMode mode, const std::string &pin_dir,
                const Settings &settings, std::vector<StepDown> *steps_down)
        : BpfDatapath(interface, pin_dir, settings, open_object()),
          link_(free_interface(), mode, programs().counting(kXdp), pins().open(bpf::kLinkPin), steps_down),
          tc_(this->interface(), bpf::TcRole::second_lock, programs().counting(kTc), predecessor_made_hook()) {
        attached(tc_);
        pin();
        bpf::remove_tc_filter(this->interface().index, bpf::TcRole::judge, false); // of a tc datapath that was killed
        saw(look()());
    }

    std::string_view kind() const override { return "xdp"; }

    std::function<InPlace()> look() const override {
        return [index = interface().index, program = program(), second = tc_.is_attached()] {
            return InPlace{attached_mode(index, program), second()};
        };
    }

    void keep() override {
        tc_.keep();
        link_.keep();
        BpfDatapath::keep();
    }

  private:
    std::vector<std::pair<std::string, int>> pinned() const override {
        auto all = BpfDatapath::pinned();
        all.emplace_back(bpf::kLinkPin, link_.fd());
        return all;
    }

    std::optional<std::string> detached(const InPlace &seen) const override {
        if (seen.mode == Mode::none) return "the XDP program is not attached to " + interface().name;
        if (!seen.second_lock) return "the tc filter nlbd_tc is not attached to " + interface().name;
        return std::nullopt;
    }

    // The second lock first: without either the host would answer everything.
    void attach_again(const InPlace &seen, std::vector<std::string> &done) override {
        if (!seen.second_lock) {
            tc_.attach();
            attached(tc_);
            done.push_back("tc filter nlbd_tc on " + interface().name);
        }
        if (seen.mode == Mode::none) {
            link_.attach_again();
            pins().put(bpf::kLinkPin, link_.fd());
            done.push_back("XDP program on " + interface().name);
        }
    }

    const Interface &free_interface() const {
        require_no_other(bpf::TcRole::judge);
        return interface();
    }

    Link link_; // before the filter: whose interface it is shows here
    bpf::TcFilter tc_;
};

} // namespace

std::unique_ptr<Datapath> attach(const std::string &interface, XdpMode mode,
                                 const std::string &pin_dir, const Settings &settings,
                                 std::vector<StepDown> *steps_down) {
    return std::make_unique<XdpDatapath>(interface, mode, pin_dir, settings, steps_down);
}

} // namespace filter::xdp
