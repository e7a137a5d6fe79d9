// SPDX-License-Identifier: Apache-2.0
//
// The pcap datapath, for hosts where XDP cannot be loaded: frames are captured, judged by the same
// code in this process, and the accepted ones handed to the host through a TAP device, while an
// nftables chain keeps the originals from it.
//
// What outlives the process: the chain and the tables. What does not: the capture and the TAP
// device. So a node whose agent has died, or is stopped, is silent, and its successor goes on with
// the tables, the lease and the counters that it finds.
#include "filter/pcap/pcap.hpp"

#include "filter/descriptor.hpp"
#include "filter/interface.hpp"
#include "filter/nft/blocker.hpp"
#include "filter/pcap/packet_tables.hpp"
#include "filter/pcap/packet_thread.hpp"
#include "filter/pcap/tap.hpp"
#include "filter/state_datapath.hpp"
#include "filter/tables.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <memory>
#include <net/if.h>
#include <optional>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace filter::pcap {

namespace {

constexpr auto kPatience = std::chrono::seconds(3); // with the thread's answer
constexpr auto kGlance = std::chrono::milliseconds(1);
constexpr int kGlances = 500; // at the start

std::unique_ptr<nlb_config> config_of(const Settings &settings) {
    auto config = std::make_unique<nlb_config>();
    write_config(settings, *config);
    return config;
}

bool is_up(const std::string &interface) {
    const auto found = find_interface(interface);
    return found && found->up;
}

class PcapDatapath final : public StateDatapath {
  public:
    PcapDatapath(const std::string &interface, const std::string &directory,
                 const Settings &settings)
        : StateDatapath(settings.rules.size()), interface_(require_interface(interface)),
          virtual_ips_(settings.virtual_ips), blocker_(nft::Blocked::originals, interface, settings.virtual_ips),
          tables_(directory, interface_, *config_of(settings)), tap_(interface),
          alarm_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          thread_(interface_, settings.virtual_ips, tables_.memory(), tap_, alarm_.get(),
                  directory),
          directory_(directory), host_(state(), thread_.syn_acks(), sockets_, alarm_.get()) {
        thread_.set_mtu(mtu_of(interface));
        blocker_.take_over();
        tables_.take_over();
        saw(look()());
    }

    std::string_view kind() const override { return "pcap"; }

    // It looks for itself: none of it hangs on the interface.
    std::function<InPlace()> look() const override {
        return [] { return InPlace{Mode::tap}; };
    }

    // The thread answers when it comes to it: a flood may keep it busy for a while. At the start, where
    // nothing has been shown yet, it is waited for.
    std::optional<std::string> flaw(const InPlace &seen) override {
        auto what = missing();
        saw(what ? InPlace{} : seen);
        if (what) return what;
        if (!shown_at_) ask_thread();
        for (int i = 0; !shown_at_ && !has_answered() && i < kGlances; i++)
            std::this_thread::sleep_for(kGlance);
        const Clock::time_point now = Clock::now();
        if (has_answered()) {
            shown_at_ = now;
            ask_thread();
        }
        if (shown_at_ && now - *shown_at_ <= kPatience) return std::nullopt;
        return "the thread that judges packets does not read what the agent writes";
    }

    // The originals are kept from the host before the new addresses can be there, and until the former ones are no
    // longer judged.
    void configure(const Settings &settings, const Tables &tables) override {
        std::vector<IpAddress> both = virtual_ips_;
        std::ranges::copy_if(settings.virtual_ips, std::back_inserter(both), [this](const auto &address) {
            return !std::ranges::count(virtual_ips_, address);
        });
        const bool same = settings.virtual_ips == virtual_ips_;
        if (!same) blocker_.block(both);
        StateDatapath::configure(settings, tables);
        if (same) return;
        thread_.set_virtual_ips(settings.virtual_ips);
        virtual_ips_ = settings.virtual_ips;
        blocker_.block(virtual_ips_);
    }

    std::string entrance() const override { return tap_.name(); }

    std::vector<std::string> heal(const InPlace &) override {
        std::vector<std::string> done;
        thread_.set_mtu(mtu_of(interface_.name));
        if (!blocker_.in_place()) {
            blocker_.heal();
            done.push_back("the originals of accepted frames are kept from the host again");
        }
        if (!tap_.stands()) {
            tap_.heal();
            done.push_back("TAP device " + tap_.name() + " is back");
        }
        return done;
    }

    int missed_descriptor() const override { return alarm_.get(); }

    std::uint32_t take_missed() override {
        std::uint64_t times = 0;
        while (read(alarm_.get(), &times, sizeof times) < 0 && errno == EINTR)
            continue;
        return StateDatapath::take_missed();
    }

    int refused_descriptor() const override { return thread_.refused_descriptor(); }

    std::vector<std::vector<std::uint8_t>> take_refused(std::size_t most) override {
        return thread_.take_refused(most);
    }

    Verdict judge(const std::vector<std::uint8_t> &frame) override {
        return to_verdict(verdict_of(decide(state(), frame, host_)));
    }


    bool adopted() const override { return tables_.adopted(); }

    void keep() override {
        blocker_.keep();
        tables_.keep();
    }

  private:
    nlb_state &state() const override { return tables_.memory().state; }

    std::optional<std::string> missing() const {
        if (!thread_.captures() && is_up(interface_.name))
            return "frames cannot be captured on " + interface_.name;
        if (!tap_.stands()) return "TAP device " + tap_.name() + " is gone or down";
        if (!blocker_.in_place())
            return "the originals of accepted frames are not kept from the host (nftables table " +
                   blocker_.table() + ")";
        return std::nullopt;
    }

    void ask_thread() {
        ask();
        thread_.wake();
    }

    nlb_counters sum() const override {
        nlb_counters all{};
        for (std::size_t i = 0; i < NLB_COUNTERS; i++)
            all.packets[i] = std::atomic_ref(tables_.memory().counters.packets[i]).load();
        return all;
    }

    void forget_tables_counted() override { forget_tables(tables_.memory().counters); }

    // The one reader is waited for after every switch, so nothing that is out of use is being read.
    void wait_for_readers(Clock::time_point) override { thread_.let_packets_arrive(); }
    void let_packets_arrive() override { thread_.let_packets_arrive(); }
    void let_earlier_packets_be_judged() override { thread_.let_earlier_frames_be_judged(); }

    Interface interface_;
    std::vector<IpAddress> virtual_ips_;
    nft::Blocker blocker_; // the first to come and the last to go
    PacketTables tables_;
    Tap tap_;
    Descriptor alarm_; // readable when a service was missed
    PacketThread thread_;
    std::string directory_;
    HostSockets sockets_;
    PacketHost host_;
    std::optional<Clock::time_point> shown_at_; // that the thread reads the tables
};

} // namespace

std::unique_ptr<Datapath> attach(const std::string &interface, const std::string &directory,
                                      const Settings &settings) {
    return std::make_unique<PcapDatapath>(interface, directory, settings);
}

void remove(const std::string &interface, const std::string &directory) {
    if (!has_packet_tables(directory)) return;
    nft::remove_blocker(nft::Blocked::originals, interface);
    remove_packet_tables(directory);
}

} // namespace filter::pcap
