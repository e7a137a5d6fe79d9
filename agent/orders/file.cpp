// SPDX-License-Identifier: Apache-2.0
// The directory is synced after the rename, for the name itself. What can fail comes before the rename.
#include "agent/orders/file.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/file.hpp"
#include "agent/base/log.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <stdexcept>

namespace agent {
namespace {

using filter::Descriptor;

constexpr std::size_t kLongest = 64 * 1024; // 32 rules take 3 kB

[[noreturn]] void fail(int cause = errno) { throw std::runtime_error(describe(cause)); }

Descriptor open_directory(const std::string &directory) {
    Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) fail();
    return opened;
}

// These two leave everything as it was when they throw. Once the name leads to the new content, the
// order is in force. If the sync then fails, its error is returned, otherwise 0.
int replace(const std::string &directory, const std::string &path, const std::string &text) {
    const std::string draft = path + ".new";
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) fail();
    const Descriptor opened = open_directory(directory);
    const Descriptor made(
        open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made) fail();
    if (const int cause = replace_synced(path, draft, made.get(), text)) fail(cause);
    return fsync(opened.get()) == 0 ? 0 : errno;
}

int remove(const std::string &directory, const std::string &path) {
    if (access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) return 0;
    const Descriptor opened = open_directory(directory);
    if (unlink(path.c_str()) != 0) fail();
    return fsync(opened.get()) == 0 ? 0 : errno;
}

// nullopt: there is no such file.
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
    : directory_(state_dir), path_(state_dir + "/orders.json") {}

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

OrdersFile::Outcome OrdersFile::put(const std::string &directory, const std::string &path,
                                    const Orders &orders) {
    try {
        const int doubt = orders == Orders{} ? remove(directory, path)
                                             : replace(directory, path, to_text(orders));
        if (doubt == 0) return {};
        return {"", "orders: written, but a loss of power may undo it (sync " + directory + ": " +
                        describe(doubt) + ")"};
    } catch (const std::exception &cause) {
        return {"write orders " + path + ": " + cause.what() +
                    "; nothing was changed, make room or another --state-dir and try again",
                ""};
    }
}

void OrdersFile::begin(const Orders &orders) {
    writing_.begin(
        [directory = directory_, path = path_, orders] { return put(directory, path, orders); });
}

std::optional<std::string> OrdersFile::finished() {
    const auto outcome = writing_.finished();
    if (!outcome) return std::nullopt;
    if (!outcome->warning.empty()) log::warn(outcome->warning);
    return outcome->failure;
}

} // namespace agent
