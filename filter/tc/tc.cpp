// SPDX-License-Identifier: Apache-2.0
//
// Where frames carry the cluster's MAC there is no second lock beside the program, because accepted
// packets are marked by it alone: without it a packet to that MAC is another host's to the stack, or a
// unicast packet in a multicast frame, which drop_unicast_in_l2_multicast discards. Where they carry the
// node's own (Settings::forward), an nftables chain lets in what the program has marked.
#include "filter/tc/tc.hpp"

#include "filter/bpf/datapath.hpp"
#include "filter/nft/blocker.hpp"
#include "filter/tables.hpp"
#include "filter/xdp/front.hpp"
#include "filter/xdp/xdp.hpp"

#include <algorithm>
#include <iterator>
#include <linux/if_ether.h>
#include <stdexcept>
#include <unistd.h>

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
    TcDatapath(const std::string &interface, const std::string &pin_dir, const Settings &settings, InFront in_front,
               std::vector<StepDown> *steps_down)
        : BpfDatapath(interface, pin_dir, settings, open_object()), virtual_ips_(settings.virtual_ips),
          lock_(make_lock(settings)), front_(make_front(in_front, free_interface(), steps_down)),
          filter_(free_interface(), bpf::TcRole::judge, programs().counting(0), predecessor_made_hook()) {
        attached(filter_);
        pin();
        remove_xdp();
        if (lock_) lock_->take_over();
        saw(look()());
    }

    std::string_view kind() const override { return mode() == Mode::native ? "xdp" : "tc"; }

    std::function<InPlace()> look() const override {
        const std::function<bool()> no_front = [] { return true; };
        return [is_attached = filter_.is_attached(), has_front = front_.has_value(),
                in_front = front_ ? front_->is_in_place() : no_front] {
            InPlace seen;
            seen.in_front = in_front();
            if (is_attached()) seen.mode = has_front && seen.in_front ? Mode::native : Mode::clsact;
            return seen;
        };
    }

    std::optional<std::string> slowed() const override { return slowed_; }

    // The kernel runs no tc program on a frame whose IP header is cut off, as if none ever came.
    Verdict judge(const std::vector<std::uint8_t> &frame) override {
        if (ends_in_ip_header(frame)) return to_verdict({NLB_TOO_SHORT, -1, -1});
        return BpfDatapath::judge(frame);
    }

    // Both kinds of addresses are locked while they change: those that come, before they can be there.
    void configure(const Settings &settings, const Tables &tables) override {
        std::vector<IpAddress> both = virtual_ips_;
        std::ranges::copy(settings.virtual_ips, std::back_inserter(both));
        std::ranges::sort(both);
        both.erase(std::unique(both.begin(), both.end()), both.end());
        const bool same = settings.virtual_ips == virtual_ips_;
        if (lock_ && !same) lock_->block(both);
        BpfDatapath::configure(settings, tables);
        virtual_ips_ = settings.virtual_ips;
        if (lock_ && !same) lock_->block(virtual_ips_);
    }

    void keep() override {
        if (lock_) lock_->keep();
        if (front_) front_->keep();
        filter_.keep();
        BpfDatapath::keep();
    }

  private:
    std::vector<std::pair<std::string, int>> pinned() const override {
        auto all = BpfDatapath::pinned();
        if (front_) all.emplace_back(bpf::kLinkPin, front_->link());
        return all;
    }

    std::optional<std::string> detached(const InPlace &seen) const override {
        if (seen.mode == Mode::none)
            return "the tc filter nlbd_ingress is not attached to " + interface().name;
        if (lock_ && !lock_->in_place())
            return "nothing keeps frames from the host that the filter has not seen (nftables table " +
                   lock_->table() + ")";
        return std::nullopt;
    }

    // What is sent on has the interface's present MAC as its source: the other nodes know that one.
    void attach_again(const InPlace &seen, std::vector<std::string> &done) override {
        if (const auto now = find_interface(interface().name)) state().own_mac = mac_word(now->mac);
        if (lock_ && !lock_->in_place()) {
            lock_->heal();
            done.push_back("frames that the filter has not seen are kept from the host again");
        }
        if (seen.mode == Mode::none) {
            filter_.attach();
            attached(filter_);
            done.push_back("tc filter nlbd_ingress on " + interface().name);
        }
        if (front_) attach_front_again(seen, done);
    }

    // The node serves without it.
    void attach_front_again(const InPlace &seen, std::vector<std::string> &done) {
        slowed_.reset();
        if (seen.in_front) return;
        try {
            front_->attach_again();
            pins().put(bpf::kLinkPin, front_->link());
            done.push_back("XDP program nlbd_forward on " + interface().name);
        } catch (const std::runtime_error &error) {
            slowed_ = error.what();
        }
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
        if (front_) return; // it has taken the link over
        bpf::detach_link(pins().open(bpf::kLinkPin));
        pins().remove(bpf::kLinkPin);
    }

    std::optional<xdp::Front> make_front(InFront wish, const Interface &interface, std::vector<StepDown> *steps_down) {
        if (wish == InFront::nothing) return std::nullopt;
        try {
            return std::optional<xdp::Front>(std::in_place, interface, programs(), pins().open(bpf::kLinkPin));
        } catch (const Occupied &) {
            throw;
        } catch (const std::runtime_error &error) {
            if (wish == InFront::xdp) throw;
            const bool lacking = dynamic_cast<const xdp::Lacking *>(&error) != nullptr;
            if (steps_down) steps_down->push_back({error.what(), lacking});
            return std::nullopt;
        }
    }

    std::optional<nft::Blocker> make_lock(const Settings &settings) const {
        if (!settings.forward) return std::nullopt;
        return std::optional<nft::Blocker>(std::in_place, nft::Blocked::unmarked, interface().name,
                                           settings.virtual_ips);
    }

    std::vector<IpAddress> virtual_ips_;
    std::optional<nft::Blocker> lock_; // the first to come and the last to go
    std::optional<xdp::Front> front_;
    std::optional<std::string> slowed_;
    bpf::TcFilter filter_;
};

} // namespace

std::unique_ptr<Datapath> attach(const std::string &interface, const std::string &pin_dir,
                                 const Settings &settings, InFront in_front, std::vector<StepDown> *steps_down) {
    return std::make_unique<TcDatapath>(interface, pin_dir, settings, in_front, steps_down);
}

void remove_lock(const std::string &interface, const std::string &pin_dir) {
    if (access((pin_dir + "/" + bpf::kPathsPin).c_str(), F_OK) != 0) return;
    nft::remove_blocker(nft::Blocked::unmarked, interface);
    const bpf::Pins pins(pin_dir);
    for (const char *name : {bpf::kPathsPin, bpf::kNumbersPin, bpf::kSentPin})
        pins.remove(name);
}

} // namespace filter::tc
