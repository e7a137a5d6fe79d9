// SPDX-License-Identifier: Apache-2.0
// A new file beside the old one, synced, then renamed over it, then the directory synced: rename(2)
// is atomic, and without the syncs it could reach the disk before the content does.
#include "agent/orders_file.hpp"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

using filter::Descriptor;

constexpr std::size_t kLongest = 64 * 1024; // 32 rules take 3 kB

[[noreturn]] void fail() { throw std::runtime_error(std::generic_category().message(errno)); }

void sync_directory(const std::string &directory) {
    const Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened || fsync(opened.get()) != 0) fail();
}

void write_whole(const std::string &path, const std::string &text) {
    const Descriptor file(
        open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) fail();
    const ssize_t written = write(file.get(), text.data(), text.size());
    if (written >= 0 && written != static_cast<ssize_t>(text.size())) errno = ENOSPC;
    if (written != static_cast<ssize_t>(text.size()) || fsync(file.get()) != 0) fail();
}

void replace(const std::string &directory, const std::string &path, const std::string &text) {
    const std::string next = path + ".new";
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) fail();
    try {
        write_whole(next, text);
        if (rename(next.c_str(), path.c_str()) != 0) fail();
    } catch (...) {
        unlink(next.c_str());
        throw;
    }
    sync_directory(directory);
}

void remove(const std::string &directory, const std::string &path) {
    if (unlink(path.c_str()) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return;
        fail();
    }
    sync_directory(directory);
}

// Why it failed; empty: done.
std::string put(const std::string &directory, const std::string &path, const Orders &orders) {
    try {
        orders == Orders{} ? remove(directory, path) : replace(directory, path, to_text(orders));
        return "";
    } catch (const std::exception &cause) {
        return "write orders " + path + ": " + cause.what() +
               "; nothing was changed, make room or another --state-dir and try again";
    }
}

// Nothing: there is none.
std::optional<std::string> contents(const std::string &path) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file && errno == ENOENT) return std::nullopt;
    if (!file) fail();
    std::string text(kLongest, '\0');
    const ssize_t size = read(file.get(), text.data(), text.size());
    if (size < 0) fail();
    text.resize(static_cast<std::size_t>(size));
    return text;
}

} // namespace

OrdersFile::OrdersFile(const std::string &state_dir)
    : directory_(state_dir), path_(state_dir + "/orders.json"),
      done_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!done_) throw std::runtime_error("open eventfd: " + std::generic_category().message(errno));
}

OrdersFile::~OrdersFile() {
    if (busy()) writer_.detach(); // a disk may hang for ever
}

Orders OrdersFile::load() const {
    try {
        const auto text = contents(path_);
        return text ? parse_orders(*text) : Orders{};
    } catch (const std::exception &cause) {
        throw std::runtime_error("read orders " + path_ + ": " + cause.what() +
                                 "; put back a copy, or remove it to begin without orders: not "
                                 "stopped, not suspended, every rule enabled");
    }
}

// The eventfd is written last: a loop of real-time priority that it wakes must find the result, for
// while it looks for it again and again, this thread may not get to run.
void OrdersFile::begin(const Orders &orders) {
    std::promise<std::string> told;
    std::future<std::string> writing = told.get_future();
    writer_ = std::jthread([directory = directory_, path = path_, orders, done = done_.get(),
                            told = std::move(told)]() mutable {
        told.set_value(put(directory, path, orders));
        eventfd_write(done, 1);
    }); // may throw
    writing_ = std::move(writing);
}

std::optional<std::string> OrdersFile::finished() {
    eventfd_t count = 0;
    if (!busy() || eventfd_read(done_.get(), &count) != 0) return std::nullopt;
    return writing_.get();
}

} // namespace agent
