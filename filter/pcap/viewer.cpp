// SPDX-License-Identifier: Apache-2.0
#include "filter/pcap/viewer.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/uio.h>

namespace filter::pcap {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kTryAgain = kSecond / 1000; // one that begins is missed for no longer
constexpr int kRoom = 4 << 20; // bytes that may wait to be read

} // namespace

std::string viewer_path(const std::string &directory) { return directory + "/capture"; }

void Viewer::show(std::uint64_t word, std::span<const std::uint8_t> frame, std::uint64_t now_ns) {
    if (now_ns - counts_.second_ns >= kSecond) {
        counts_.second_ns = now_ns;
        counts_.in_second = 0;
    }
    if (counts_.in_second++ < NLB_CAPTURE_A_SECOND && connect(now_ns) && send(word, frame, now_ns))
        return;
    std::atomic_ref(counts_.lost).fetch_add(1, std::memory_order_relaxed);
}

bool Viewer::connect(std::uint64_t now_ns) {
    if (socket_) return true;
    if (now_ns - tried_ns_ < kTryAgain) return false;
    tried_ns_ = now_ns;
    sockaddr_un there{};
    there.sun_family = AF_UNIX;
    if (path_.size() >= sizeof there.sun_path) return false;
    path_.copy(there.sun_path, sizeof there.sun_path - 1);
    Descriptor made(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) return false;
    setsockopt(made.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kRoom, sizeof kRoom);
    if (::connect(made.get(), reinterpret_cast<sockaddr *>(&there), sizeof there) != 0) return false;
    socket_ = std::move(made);
    return true;
}

bool Viewer::send(std::uint64_t word, std::span<const std::uint8_t> frame, std::uint64_t now_ns) {
    const auto length = static_cast<__u32>(frame.size());
    nlb_capture_record record{now_ns, word, length, std::min<__u32>(length, NLB_CAPTURE_MOST), 0, 0};
    iovec parts[] = {{&record, sizeof record},
                     {const_cast<std::uint8_t *>(frame.data()), record.captured}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    if (sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (errno != EAGAIN) socket_ = Descriptor(); // the viewer has gone
    return false;
}

} // namespace filter::pcap
