// SPDX-License-Identifier: Apache-2.0
#include "agent/monitor/monitor.hpp"

#include "agent/base/failure.hpp"
#include "agent/monitor/duties.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace agent {
namespace {

constexpr int kMostForItsEnd = 100; // ms

} // namespace

Monitor::Monitor(const Config &config, uid_t user) {
    auto orders = make_pair_of_sockets(), files = make_pair_of_sockets();
    const pid_t child = fork();
    if (child < 0) fail("start the monitor");
    orders_ = std::move(orders.first);
    files_ = std::move(files.first);
    process_ = child;
    if (child > 0) return;
    orders_ = filter::Descriptor(); // the agent alone holds its ends, so that their closing tells of its end
    files_ = filter::Descriptor();
    do_duties(std::move(orders.second), std::move(files.second), config, user);
}

Monitor::~Monitor() {
    orders_ = filter::Descriptor();
    files_ = filter::Descriptor();
    const filter::Descriptor end(static_cast<int>(syscall(SYS_pidfd_open, process_, 0)));
    pollfd ended{end.get(), POLLIN, 0};
    poll(&ended, 1, kMostForItsEnd);
    waitpid(process_, nullptr, WNOHANG);
}

filter::Descriptor Monitor::open(const std::string &file) {
    const std::lock_guard lock(asking_);
    Opened opened{filter::Descriptor(), say(files_.get(), file, Wait::yes)};
    if (opened.cause == 0) opened = hear_opened(files_.get());
    if (opened.cause == EPIPE || opened.cause == ECONNRESET)
        throw std::runtime_error("open " + file + ": the monitor, which has the right, has ended; start nlbd again");
    errno = opened.cause;
    return std::move(opened.file);
}

Monitor::Run Monitor::run(const std::string &rule, const std::vector<std::string> &command, const std::string &user) {
    const int cause = say(orders_.get(), to_text(Order{Order::Kind::run, ++last_, rule, user, command}), Wait::no);
    if (cause != 0) fail("ask the monitor", cause, cause == EAGAIN ? "it is asked again" : "start nlbd again");
    runs_.emplace(last_, std::nullopt);
    return last_;
}

// If the order does not fit at this moment, the next check gives it again.
void Monitor::kill(Run run) { say(orders_.get(), to_text(Order{Order::Kind::kill, run, {}, {}, {}}), Wait::no); }

std::optional<Ended> Monitor::ended(Run run) {
    listen();
    const auto found = runs_.find(run);
    if (found == runs_.end() || !found->second) return std::nullopt;
    return runs_.extract(found).mapped();
}

void Monitor::forget(Run run) { runs_.erase(run); }

void Monitor::listen() {
    while (orders_) {
        const auto text = hear(orders_.get(), Wait::no);
        if (!text) return;
        if (text->empty()) { // or poll would find it readable for ever
            orders_ = filter::Descriptor();
            return;
        }
        const auto end = parse_ended(*text);
        if (!end) continue;
        if (const auto found = runs_.find(end->number); found != runs_.end()) found->second = *end;
    }
}

void Monitor::wait(Poll &poll) const {
    if (!runs_.empty()) poll.read(orders_.get());
}

bool Monitor::gone() const {
    pollfd orders{orders_.get(), 0, 0};
    return !orders_ || (poll(&orders, 1, 0) == 1 && (orders.revents & POLLHUP) != 0);
}

} // namespace agent
