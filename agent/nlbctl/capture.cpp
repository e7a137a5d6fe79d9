// SPDX-License-Identifier: Apache-2.0
// One poll over the ring and the signals. What has come is turned into text at once and written
// together.
#include "agent/nlbctl/capture.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/signals.hpp"
#include "agent/base/version.hpp"
#include "agent/control/local.hpp"
#include "agent/host/privileges.hpp"
#include "agent/host/run_dir.hpp"
#include "agent/nlbctl/capture_file.hpp"
#include "agent/nlbctl/packet_line.hpp"
#include "agent/nlbctl/packet_owners.hpp"
#include "agent/nlbctl/pcapng.hpp"
#include "filter/bpf/capture.hpp"
#include "filter/pcap/pcap.hpp"

#include <linux/capability.h>
#include <poll.h>

#include <chrono>
#include <ostream>

namespace agent {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kAskEvery = 500ms; // whose packets they are changes with the view
constexpr int kReadEvery = 100;   // ms; the kernel wakes earlier

std::uint64_t wall_ns() {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
}

using AskAgent = std::function<Json(bool)>;

// However the capture ends, the next one may start at once; if the agent does not receive this, after a while.
struct Farewell {
    const AskAgent &ask;
    explicit Farewell(const AskAgent &agent) : ask(agent) {}
    Farewell(const Farewell &) = delete;
    ~Farewell() {
        try {
            ask(false);
        } catch (const std::exception &) { // the agent has ended first
        }
    }
};

class Capturing {
  public:
    Capturing(const CaptureOrder &order, const std::function<Json(bool)> &ask, std::ostream &out)
        : order_(order), ask_(ask), out_(out) {
        if (!order_.file.empty()) file_.emplace(order_.file, out_);
        become_owner_of(control_path(order_.run_dir), {CAP_BPF, CAP_PERFMON, CAP_IPC_LOCK});
        farewell_.emplace(ask_);
        learn(ask_(true));
        if (file_) file_->write(pcapng::begin("nlbctl " + std::string(kVersion), interface_,
                                   filter::kMostCaptured));
    }

    int descriptor() const { return capture_ ? capture_->descriptor() : -1; }
    bool ended() const {
        return (order_.count && packets_ >= *order_.count) ||
               (order_.seconds && Clock::now() - begun_ >= std::chrono::seconds(*order_.seconds));
    }

    // While its agent is briefly away, a node keeps filtering, and the capture continues.
    void ask_when_due() {
        if (Clock::now() - asked_ < kAskEvery) return;
        try {
            learn(ask_(true));
        } catch (const std::exception &) {
            asked_ = Clock::now();
        }
    }

    void read() {
        std::string written;
        if (capture_)
            capture_->read([&](const filter::CapturedFrame &frame) {
                if (!ended()) written += text_of(frame);
            });
        if (written.empty()) return;
        file_ ? file_->write(written) : void(out_ << written << std::flush);
    }

    void end(std::ostream &err) {
        const std::uint64_t lost = lost_ + (capture_ ? capture_->lost() : 0);
        if (file_) file_->write(pcapng::end({begun_ns_, wall_ns(), packets_ + lost, lost}));
        if (order_.json && file_ && order_.file != "-")
            out_ << Json{{"file", order_.file}, {"packets", packets_}, {"lost", lost}}.dump(2) << "\n";
        else
            err << packets_ << " packets, " << lost << " lost\n";
    }

  private:
    // Another agent may have come, with another program, or with none: it judges by itself then.
    // The former capture ends first, because the next one may listen in the same place.
    void learn(const Json &source) {
        asked_ = Clock::now();
        owners_.update(source);
        interface_ = source.at("interface");
        const auto program = source.at("program").get<std::uint32_t>();
        if (capture_ && program == program_ && capture_->stands()) return;
        if (capture_) lost_ += capture_->lost();
        capture_.reset();
        capture_ = program != 0 ? filter::bpf::capture(bpf_in(order_.run_dir))
                                : filter::pcap::capture(tables_in(order_.run_dir));
        program_ = program;
    }

    std::string text_of(const filter::CapturedFrame &frame) {
        ++packets_;
        const std::uint64_t ago =
            static_cast<std::uint64_t>(boot_now().count()) - frame.boot_ns;
        if (file_)
            return pcapng::packet({wall_ns() - ago, frame.length, frame.bytes,
                                   verdict_text(frame.verdict, owners_)});
        return order_.json ? json_of(frame, ago).dump() + "\n" : line_of(frame, ago);
    }

    std::string line_of(const filter::CapturedFrame &frame, std::uint64_t ago) const {
        return wall_time(std::chrono::nanoseconds(ago)) + "  " + packet_line(frame.bytes) + "  " +
               verdict_text(frame.verdict, owners_) + "\n";
    }

    Json json_of(const filter::CapturedFrame &frame, std::uint64_t ago) const {
        const auto rule = owners_.rule(frame.verdict), owner = owners_.owner(frame.verdict);
        const std::int32_t bucket = frame.verdict.bucket;
        return {{"at", wall_time(std::chrono::nanoseconds(ago))},
                {"packet", packet_line(frame.bytes)},
                {"length", frame.length},
                {"rule", rule ? Json(*rule) : Json()},
                {"bucket", bucket < 0 ? Json() : Json(bucket)},
                {"owner_name", owner ? Json(*owner) : Json()},
                {"verdict", frame.verdict.drop ? "drop" : "pass"},
                {"reason", frame.verdict.reason}};
    }

    const CaptureOrder &order_;
    const AskAgent &ask_;
    std::optional<Farewell> farewell_; // from the first question on
    std::ostream &out_;
    std::optional<CaptureFile> file_;
    PacketOwners owners_;
    std::string interface_;
    std::uint32_t program_ = 0;
    std::unique_ptr<filter::Capture> capture_;
    Clock::time_point begun_ = Clock::now(), asked_{};
    std::uint64_t begun_ns_ = wall_ns(), packets_ = 0, lost_ = 0;
};

} // namespace

void capture(const CaptureOrder &order, const std::function<Json(bool)> &ask, std::ostream &out,
             std::ostream &err) {
    Signals signals({SIGINT, SIGTERM, SIGHUP});
    Capturing capturing(order, ask, out);
    while (!capturing.ended() && signals.next() == 0) {
        pollfd waiting[] = {{capturing.descriptor(), POLLIN, 0}, {signals.descriptor(), POLLIN, 0}};
        poll(waiting, 2, kReadEvery);
        capturing.read();
        capturing.ask_when_due();
    }
    capturing.read(); // what came before the signal
    capturing.end(err);
}

} // namespace agent
