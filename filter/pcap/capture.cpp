// SPDX-License-Identifier: Apache-2.0
// Listens for the packets' thread of an agent (viewer.hpp), and reads what it sends.
#include "filter/pcap/pcap.hpp"

#include "filter/failure.hpp"
#include "filter/pcap/packet_tables.hpp"
#include "filter/pcap/viewer.hpp"
#include "filter/tables.hpp"
#include "filter/verdict/capture_record.h"
#include "filter/verdict/user_verdict.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace filter::pcap {
namespace {

class PcapCapture final : public Capture {
  public:
    explicit PcapCapture(const std::string &directory)
        : path_(viewer_path(directory)), tables_(directory), before_(counted()),
          listener_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un here{};
        here.sun_family = AF_UNIX;
        if (path_.size() >= sizeof here.sun_path)
            throw std::runtime_error("listen on " + path_ + ": the name is too long");
        path_.copy(here.sun_path, sizeof here.sun_path - 1);
        unlink(path_.c_str()); // of one that was killed: the agent lets in one at a time
        if (!listener_ ||
            bind(listener_.get(), reinterpret_cast<sockaddr *>(&here), sizeof here) != 0 ||
            listen(listener_.get(), 1) != 0)
            fail("listen on " + path_, errno, "run as root");
    }
    ~PcapCapture() override { unlink(path_.c_str()); }

    int descriptor() const override { return agent_ ? agent_.get() : listener_.get(); }

    void read(const std::function<void(const CapturedFrame &)> &take) override {
        take_all(take);
        Descriptor next(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!next) return;
        agent_ = std::move(next); // another agent may have come
        take_all(take);
    }

    std::uint64_t lost() const override { return counted() - before_; }

    bool stands() const override { return access(path_.c_str(), F_OK) == 0; }

  private:
    std::uint64_t counted() const {
        return std::atomic_ref(tables_.memory().shown.lost).load(std::memory_order_relaxed);
    }

    void take_all(const std::function<void(const CapturedFrame &)> &take) {
        while (agent_) {
            const ssize_t got = recv(agent_.get(), buffer_.data(), buffer_.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && errno == EAGAIN) return;
            if (got <= 0) agent_ = Descriptor(); // it has ended
            nlb_capture_record record;
            if (got < static_cast<ssize_t>(sizeof record)) continue;
            std::memcpy(&record, buffer_.data(), sizeof record);
            take({record.boot_ns, to_verdict(verdict_of(record.word)), record.length,
                  {buffer_.data() + sizeof record, static_cast<std::size_t>(got) - sizeof record}});
        }
    }

    std::string path_;
    FoundPacketTables tables_;
    std::uint64_t before_;
    Descriptor listener_, agent_;
    std::vector<std::uint8_t> buffer_ =
        std::vector<std::uint8_t>(sizeof(nlb_capture_record) + NLB_CAPTURE_MOST);
};

} // namespace

std::unique_ptr<Capture> capture(const std::string &directory) {
    return std::make_unique<PcapCapture>(directory);
}

} // namespace filter::pcap
