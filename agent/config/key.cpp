// SPDX-License-Identifier: Apache-2.0
//
// Hexadecimal, not base64: nothing to pad, nothing that a shell or a terminal would change, and a
// damaged key shows. Subkeys come from libsodium's key derivation (keyed BLAKE2b), each with a
// context of its own.
#include "agent/config/key.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/file.hpp"
#include "agent/config/trust.hpp"
#include "filter/descriptor.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sodium.h>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace agent {
namespace {

constexpr std::size_t kDigits = 2 * std::tuple_size_v<ClusterKey>;
constexpr std::size_t kLine = kDigits + 1;
static_assert(std::tuple_size_v<ClusterKey> == crypto_kdf_KEYBYTES);

[[noreturn]] void fail(const char *verb, const std::string &file, const std::string &cause,
                       const std::string &way_out) {
    throw std::runtime_error(std::string(verb) + " key " + file + ": " + cause + "; " + way_out);
}

void check_status(const std::string &file, int descriptor) {
    struct stat status {};
    if (fstat(descriptor, &status) != 0)
        fail("read", file, describe(errno), "it must be a regular file");
    if (!S_ISREG(status.st_mode))
        fail("read", file, "not a regular file", "make one with: nlbctl keygen FILE");
    if ((status.st_mode & 077) != 0) {
        char mode[8];
        std::snprintf(mode, sizeof mode, "0%03o", status.st_mode & 0777);
        fail("read", file, std::string("others than its owner have access (mode ") + mode + ")",
             "close it with: chmod 600 " + file);
    }
    if (const auto why = distrust(file, status))
        throw std::runtime_error("read key " + file + ": " + *why);
}

template <std::size_t size>
std::array<std::uint8_t, size> derive(const ClusterKey &key, const char *context) {
    std::array<std::uint8_t, size> subkey;
    crypto_kdf_derive_from_key(subkey.data(), subkey.size(), 1, context, key.data());
    return subkey;
}

// One line, or two; the newline of the last one may be missing.
std::optional<ClusterKeys> parse_keys(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    const bool two = text.size() == kLine + kDigits && text[kDigits] == '\n';
    if (!two && text.size() != kDigits) return std::nullopt;
    const auto decode = [](std::string_view digits) -> std::optional<ClusterKey> {
        ClusterKey key;
        std::size_t decoded = 0;
        const bool all = sodium_hex2bin(key.data(), key.size(), digits.data(), digits.size(),
                                        nullptr, &decoded, nullptr) == 0;
        return all && decoded == key.size() ? std::optional(key) : std::nullopt;
    };
    const auto first = decode(text.substr(0, kDigits));
    if (!first) return std::nullopt;
    if (!two) return ClusterKeys{*first, std::nullopt};
    const auto second = decode(text.substr(kLine));
    return second && second != first ? std::optional(ClusterKeys{*first, second}) : std::nullopt;
}

std::string line_of(const ClusterKey &key) {
    char digits[kDigits + 1];
    return sodium_bin2hex(digits, sizeof digits, key.data(), key.size()) + std::string("\n");
}

CurveKeys pair_of(const std::array<std::uint8_t, crypto_scalarmult_SCALARBYTES> &secret) {
    CurveKeys keys{{}, secret};
    crypto_scalarmult_base(keys.open.data(), keys.secret.data());
    return keys;
}

} // namespace

ClusterKeys load_keys(const std::string &file, const Opener &open) {
    const filter::Descriptor opened = open(file);
    if (!opened)
        fail("read", file, describe(errno),
             errno == ENOENT
                 ? "make one with: nlbctl keygen " + file + ", and copy it to every node"
                 : "it must be a file that this user can read");
    check_status(file, opened.get());
    char text[2 * kLine + 1]; // one byte that must not be there
    const ssize_t size = read(opened.get(), text, sizeof text);
    if (size < 0) fail("read", file, describe(errno), "it must be a regular file");
    const auto keys = parse_keys({text, static_cast<std::size_t>(size)});
    sodium_memzero(text, sizeof text);
    if (!keys)
        fail("read", file, "not one line of 64 hexadecimal digits, nor two different ones",
             "copy it again from another node, or make a new one for all with: nlbctl keygen");
    return *keys;
}

void start_cryptography() {
    if (sodium_init() < 0)
        throw std::runtime_error("start cryptography: no source of random numbers");
}

std::string generate_key() {
    ClusterKey key;
    randombytes_buf(key.data(), key.size());
    char digits[kDigits + 1];
    return sodium_bin2hex(digits, sizeof digits, key.data(), key.size());
}

namespace {

// A reader finds the old file or the new one, never a part. A symbolic link stays one.
void replace(const std::string &link, const ClusterKeys &keys) {
    const std::string file = std::filesystem::canonical(link);
    struct stat former {};
    std::string fresh = file + ".XXXXXX";
    const filter::Descriptor made(
        stat(file.c_str(), &former) == 0 ? mkostemp(fresh.data(), O_CLOEXEC) : -1);
    if (!made)
        fail("write", file, describe(errno),
             "this user must be able to write to its directory");
    int cause = fchown(made.get(), former.st_uid, former.st_gid) != 0 ||
                        fchmod(made.get(), former.st_mode & 0700) != 0
                    ? errno
                    : 0;
    if (cause != 0)
        unlink(fresh.c_str());
    else
        cause = replace_synced(file, fresh, made.get(),
                               line_of(keys.in_use) + (keys.other ? line_of(*keys.other) : ""));
    if (cause != 0) fail("write", file, describe(cause), "nothing was changed");
}

// With both keys there, or with one alone.
ClusterKeys load_for_step(const std::string &file, bool both) {
    ClusterKeys keys = load_keys(file);
    if (keys.other && !both)
        fail("change", file, "holds two keys already",
             "finish that change first: nlbctl keygen --use, then --drop");
    if (!keys.other && both)
        fail("change", file, "holds one key alone",
             "begin a change with: nlbctl keygen --next " + file);
    return keys;
}

} // namespace

void write_new_key(const std::string &file) {
    const std::string line = generate_key() + '\n';
    const filter::Descriptor made(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made)
        fail("write", file, describe(errno),
             errno == EEXIST   ? "a key is never overwritten, remove it first if no node uses it"
             : errno == ENOENT ? "make its directory first: mkdir -p " +
                                     std::filesystem::path(file).parent_path().string()
                               : "name a file in a directory that this user can write to");
    const int cause = write_synced(made.get(), line);
    if (cause == 0) return;
    unlink(file.c_str()); // ours: O_EXCL made it
    fail("write", file, describe(cause), "make room and try again");
}

void add_next_key(const std::string &file) {
    ClusterKeys keys = load_for_step(file, false);
    keys.other = parse_keys(generate_key())->in_use;
    replace(file, keys);
}

void use_next_key(const std::string &file) {
    const ClusterKeys keys = load_for_step(file, true);
    replace(file, {*keys.other, keys.in_use});
}

void drop_other_key(const std::string &file) {
    replace(file, {load_for_step(file, true).in_use, std::nullopt});
}

std::uint64_t fingerprint(const ClusterKeys &keys) {
    const auto print = [](const ClusterKey &key) {
        std::uint64_t value = 0;
        for (const std::uint8_t byte : derive<16>(key, "nlb-name"))
            value = value << 8 ^ value >> 56 ^ byte;
        return value;
    };
    return print(keys.in_use) + (keys.other ? 3 * print(*keys.other) : 0);
}

std::array<std::uint8_t, 16> hash_key(const ClusterKey &key) { return derive<16>(key, "nlb-hash"); }
std::array<std::uint8_t, 32> beat_key(const ClusterKey &key) { return derive<32>(key, "nlb-beat"); }
std::array<std::uint8_t, 32> probe_key(const ClusterKey &key) { return derive<32>(key, "nlb-prob"); }
CurveKeys listener_keys(const ClusterKey &key) { return pair_of(derive<32>(key, "nlb-list")); }
CurveKeys caller_keys(const ClusterKey &key) { return pair_of(derive<32>(key, "nlb-call")); }

} // namespace agent
