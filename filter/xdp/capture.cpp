// SPDX-License-Identifier: Apache-2.0
// Puts a ring into the running program's map, and reads it.
#include "filter/xdp/xdp.hpp"

#include "filter/descriptor.hpp"
#include "filter/tables.hpp"
#include "filter/verdict/capture_record.h"
#include "filter/verdict/user_verdict.hpp"
#include "filter/xdp/attach.hpp"

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


namespace filter::xdp {
namespace {

constexpr long kRing = 1 << 20; // bytes, for each processor

struct BufferDeleter {
    void operator()(perf_buffer *buffer) const { perf_buffer__free(buffer); }
};

// The map of that name that the program uses.
Descriptor find_map(int program, const std::string &name) {
    for (const __u32 id : map_ids(program)) {
        Descriptor map(bpf_map_get_fd_by_id(id));
        bpf_map_info about{};
        __u32 size = sizeof about;
        if (map && bpf_obj_get_info_by_fd(map.get(), &about, &size) == 0 && about.name == name)
            return map;
    }
    return Descriptor();
}

class XdpCapture final : public Capture {
  public:
    explicit XdpCapture(std::uint32_t program) {
        const Descriptor target(bpf_prog_get_fd_by_id(program));
        if (!target) fail("open the XDP program", errno, "run as root");
        const Descriptor shown = find_map(target.get(), "shown");
        counts_ = find_map(target.get(), "shown_counts");
        if (!shown || !counts_)
            throw std::runtime_error("capture at the XDP program: it is another version's; restart the agent");
        before_ = counted();
        const auto pages = static_cast<std::size_t>(kRing / sysconf(_SC_PAGESIZE));
        buffer_.reset(perf_buffer__new(shown.get(), pages, take, lose, this, nullptr));
        if (!buffer_) fail("make room for captured packets", errno);
        shown_ = Descriptor(dup(shown.get()));
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
        auto &capture = *static_cast<XdpCapture *>(self);
        try {
            if (!capture.failure_) capture.take(static_cast<const std::uint8_t *>(data), size);
        } catch (...) {
            capture.failure_ = std::current_exception();
        }
    }
    static void lose(void *, int, __u64) {} // the programs have counted it

    void take(const std::uint8_t *data, std::size_t size) const {
        nlb_capture_record record{};
        if (size < sizeof record) return;
        std::memcpy(&record, data, sizeof record);
        const std::size_t here = std::min<std::size_t>(record.captured, size - sizeof record);
        (*take_)({record.boot_ns, to_verdict(verdict_of(record.word)), record.length,
                  {data + sizeof record, here}});
    }

    // The kernel takes the ring out of the map when what it was put there by is closed.
    Descriptor shown_, counts_;
    std::uint64_t before_ = 0;
    std::unique_ptr<perf_buffer, BufferDeleter> buffer_;
    const std::function<void(const CapturedFrame &)> *take_ = nullptr;
    std::exception_ptr failure_;
};

} // namespace

std::unique_ptr<Capture> capture(std::uint32_t program) {
    return std::make_unique<XdpCapture>(program);
}

} // namespace filter::xdp
