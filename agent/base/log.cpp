// SPDX-License-Identifier: Apache-2.0
// spdlog on standard error.
#include "agent/base/log.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/printable.hpp"
#include "agent/base/rate_limit.hpp"

#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace agent::log {
namespace {

constexpr std::array kLevels = {spdlog::level::err, spdlog::level::warn, spdlog::level::info};
constexpr std::array kPriorities = {"<3>", "<4>", "<6>"}; // sd-daemon(3)

bool to_journal = false;
std::array<RateLimit, kLevels.size()> rate_limits;
std::uint64_t lost = 0;

// systemd.exec(5): $JOURNAL_STREAM is the device and inode of the stream; it may lead elsewhere
// since.
bool is_journal() {
    const char *stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    return stream && fstat(STDERR_FILENO, &status) == 0 &&
           std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

// Waiting for a terminal whose output is stopped, or for a pipe without a reader, would cost the lease.
bool writable() {
    pollfd stream{STDERR_FILENO, POLLOUT, 0};
    return poll(&stream, 1, 0) == 1 && (stream.revents & POLLOUT);
}

void write(std::size_t level, const std::string &text) {
    spdlog::log(kLevels[level], "{}{}", to_journal ? kPriorities[level] : "", text);
}

void print(Level level, const std::string &line) {
    const auto index = static_cast<std::size_t>(level);
    const auto text = rate_limits[index].pass(printable(line), boot_now());
    if (!text) return;
    if (!writable()) {
        ++lost;
        return;
    }
    if (lost > 0) write(1, "log: lines lost (count=" + std::to_string(lost) + ")");
    lost = 0;
    write(index, *text);
}

} // namespace

void open(Level least) {
    to_journal = is_journal();
    auto logger =
        std::make_shared<spdlog::logger>("nlbd", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_pattern(to_journal ? "%v" : "%Y-%m-%d %H:%M:%S.%e %l: %v");
    logger->set_level(kLevels[static_cast<std::size_t>(least)]);
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

void set_level(Level least) { spdlog::set_level(kLevels[static_cast<std::size_t>(least)]); }

void info(const std::string &line) { print(Level::info, line); }
void warn(const std::string &line) { print(Level::warning, line); }
void error(const std::string &line) { print(Level::error, line); }

void tick() {
    for (std::size_t level = 0; level < rate_limits.size(); ++level)
        for (const std::string &line : rate_limits[level].over(boot_now()))
            if (writable()) write(level, line);
}

} // namespace agent::log
