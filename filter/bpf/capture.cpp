// SPDX-License-Identifier: Apache-2.0
// Puts a ring into the running program's map, and reads it.
#include "filter/bpf/capture.hpp"

#include "filter/bpf/kernel.hpp"
#include "filter/bpf/pins.hpp"
#include "filter/descriptor.hpp"
#include "filter/failure.hpp"
#include "filter/tables.hpp"
#include "filter/verdict/capture_record.h"
#include "filter/verdict/user_verdict.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <unistd.h>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>


namespace filter::bpf {
namespace {

constexpr long kRing = 1 << 20; // bytes, for each processor
constexpr std::uint32_t kAddresses = 12, kTag = 4;

struct BufferDeleter {
    void operator()(perf_buffer *buffer) const { perf_buffer__free(buffer); }
};

// The agent's user can pin there whatever it likes, and the kernel writes as much as the map says.
bool is_as_here(const Descriptor &shown, const Descriptor &counts) {
    const bpf_map_info ring = about_map(shown.get()), counted = about_map(counts.get());
    return ring.type == BPF_MAP_TYPE_PERF_EVENT_ARRAY && ring.key_size == sizeof(__u32) &&
           ring.value_size == sizeof(__u32) && counted.type == BPF_MAP_TYPE_PERCPU_ARRAY &&
           counted.key_size == sizeof(__u32) && counted.value_size == sizeof(nlb_shown);
}

Descriptor open_pin(const std::string &directory, const char *name) {
    const std::string path = directory + "/" + name;
    Descriptor map(bpf_obj_get(path.c_str()));
    if (!map) fail("open " + path, errno, "run as root; restart an agent of another version");
    return map;
}

class BpfCapture final : public Capture {
  public:
    explicit BpfCapture(const std::string &pin_dir)
        : shown_(open_pin(pin_dir, kShownPin)), counts_(open_pin(pin_dir, kShownCountsPin)) {
        if (!is_as_here(shown_, counts_))
            throw std::runtime_error("capture at " + pin_dir +
                                     ": its maps are another version's; restart the agent");
        before_ = counted();
        const auto pages = static_cast<std::size_t>(kRing / sysconf(_SC_PAGESIZE));
        buffer_.reset(perf_buffer__new(shown_.get(), pages, take, lose, this, nullptr));
        if (!buffer_) fail("make room for captured packets", errno);
    }

    int descriptor() const override { return perf_buffer__epoll_fd(buffer_.get()); }

    void read(const std::function<void(const CapturedFrame &)> &take) override {
        take_ = &take;
        perf_buffer__consume(buffer_.get());
        take_ = nullptr;
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

    std::uint64_t lost() const override { return counted() - before_; }

  private:
    std::uint64_t counted() const {
        const int cpus = libbpf_num_possible_cpus();
        std::vector<nlb_shown> each(cpus > 0 ? static_cast<std::size_t>(cpus) : 0);
        const __u32 zero = 0;
        bpf_map_lookup_elem(counts_.get(), &zero, each.data());
        std::uint64_t sum = 0;
        for (const nlb_shown &one : each)
            sum += one.lost;
        return sum;
    }

    // Called by libbpf, whose code lets no exception through.
    static void take(void *self, int, void *data, __u32 size) {
        auto &capture = *static_cast<BpfCapture *>(self);
        try {
            if (!capture.failure_) capture.take(static_cast<const std::uint8_t *>(data), size);
        } catch (...) {
            capture.failure_ = std::current_exception();
        }
    }
    static void lose(void *, int, __u64) {} // the programs have counted it

    void take(const std::uint8_t *data, std::size_t size) {
        nlb_capture_record record{};
        if (size < sizeof record) return;
        std::memcpy(&record, data, sizeof record);
        const std::size_t here = std::min<std::size_t>(record.captured, size - sizeof record);
        const std::span<const std::uint8_t> bytes(data + sizeof record, here);
        const bool tagged = record.tag != 0 && here >= kAddresses;
        if (tagged) with_tag(bytes, record.tag);
        (*take_)({record.boot_ns, to_verdict(verdict_of(record.word)),
                  record.length + (tagged ? kTag : 0), tagged ? std::span(whole_) : bytes});
    }

    // As it came, with the tag that was taken off.
    void with_tag(std::span<const std::uint8_t> bytes, std::uint32_t tag) {
        whole_.assign(bytes.begin(), bytes.end());
        const auto *raw = reinterpret_cast<const std::uint8_t *>(&tag);
        whole_.insert(whole_.begin() + kAddresses, raw, raw + kTag);
    }

    // The kernel takes the ring out of the map when what it was put there by is closed.
    Descriptor shown_, counts_;
    std::uint64_t before_ = 0;
    std::unique_ptr<perf_buffer, BufferDeleter> buffer_;
    const std::function<void(const CapturedFrame &)> *take_ = nullptr;
    std::exception_ptr failure_;
    std::vector<std::uint8_t> whole_;
};

} // namespace

std::unique_ptr<Capture> capture(const std::string &pin_dir) {
    return std::make_unique<BpfCapture>(pin_dir);
}

} // namespace filter::bpf
