// SPDX-License-Identifier: Apache-2.0
//
// Hexadecimal, not base64: nothing to pad, nothing that a shell or a terminal would change, and a
// damaged key shows. Subkeys come from libsodium's key derivation (keyed BLAKE2b), each with a
// context of its own.
#include "agent/key.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sodium.h>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace agent {
namespace {

constexpr std::size_t kDigits = 2 * std::tuple_size_v<ClusterKey>;
static_assert(std::tuple_size_v<ClusterKey> == crypto_kdf_KEYBYTES);

struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

[[noreturn]] void fail(const char *verb, const std::string &file, const std::string &cause,
                       const std::string &way_out) {
    throw std::runtime_error(std::string(verb) + " key " + file + ": " + cause + "; " + way_out);
}

File open_to_read(const std::string &file) {
    const int descriptor =
        open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // no waiting on a pipe
    if (descriptor < 0)
        fail("read", file, std::strerror(errno),
             errno == ENOENT
                 ? "make one with: nlbctl keygen " + file + ", and copy it to every node"
                 : "it must be a file that this user can read");
    return File(fdopen(descriptor, "r"));
}

void check_status(const std::string &file, int descriptor) {
    struct stat status {};
    if (fstat(descriptor, &status) != 0)
        fail("read", file, std::strerror(errno), "it must be a regular file");
    if (!S_ISREG(status.st_mode))
        fail("read", file, "not a regular file", "make one with: nlbctl keygen FILE");
    if ((status.st_mode & 077) != 0) {
        char mode[8];
        std::snprintf(mode, sizeof mode, "0%03o", status.st_mode & 0777);
        fail("read", file, std::string("others than its owner have access (mode ") + mode + ")",
             "close it with: chmod 600 " + file);
    }
}

template <std::size_t size>
std::array<std::uint8_t, size> derive(const ClusterKey &key, const char *context) {
    std::array<std::uint8_t, size> subkey;
    crypto_kdf_derive_from_key(subkey.data(), subkey.size(), 1, context, key.data());
    return subkey;
}

CurveKeys pair_of(const std::array<std::uint8_t, crypto_scalarmult_SCALARBYTES> &secret) {
    CurveKeys keys{{}, secret};
    crypto_scalarmult_base(keys.open.data(), keys.secret.data());
    return keys;
}

} // namespace

ClusterKey load_key(const std::string &file) {
    const File input = open_to_read(file);
    check_status(file, fileno(input.get()));
    char digits[kDigits + 2]; // a newline, and one byte that must not be there
    const std::size_t size = std::fread(digits, 1, sizeof digits, input.get());
    ClusterKey key;
    const bool one_line = size == kDigits || (size == kDigits + 1 && digits[kDigits] == '\n');
    std::size_t decoded = 0;
    if (!one_line ||
        sodium_hex2bin(key.data(), key.size(), digits, kDigits, nullptr, &decoded, nullptr) != 0 ||
        decoded != key.size())
        fail("read", file, "not one line of 64 hexadecimal digits",
             "copy it again from another node, or make a new one for all with: nlbctl keygen");
    sodium_memzero(digits, sizeof digits);
    return key;
}

std::string generate_key() {
    if (sodium_init() < 0) throw std::runtime_error("generate key: no source of random numbers");
    ClusterKey key;
    randombytes_buf(key.data(), key.size());
    char digits[kDigits + 1];
    return sodium_bin2hex(digits, sizeof digits, key.data(), key.size());
}

void write_new_key(const std::string &file) {
    const std::string line = generate_key() + '\n';
    const int descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0)
        fail("write", file, std::strerror(errno),
             errno == EEXIST   ? "a key is never overwritten, remove it first if no node uses it"
             : errno == ENOENT ? "make its directory first: mkdir -p " +
                                     std::filesystem::path(file).parent_path().string()
                               : "name a file in a directory that this user can write to");
    const ssize_t written = write(descriptor, line.data(), line.size());
    const int cause = written < 0 ? errno : ENOSPC;
    const bool synced = written == static_cast<ssize_t>(line.size()) && fsync(descriptor) == 0;
    close(descriptor);
    if (synced) return;
    unlink(file.c_str()); // ours: O_EXCL made it
    fail("write", file, std::strerror(cause), "make room and try again");
}

std::array<std::uint8_t, 16> hash_key(const ClusterKey &key) { return derive<16>(key, "nlb-hash"); }
std::array<std::uint8_t, 32> beat_key(const ClusterKey &key) { return derive<32>(key, "nlb-beat"); }
CurveKeys listener_keys(const ClusterKey &key) { return pair_of(derive<32>(key, "nlb-list")); }
CurveKeys caller_keys(const ClusterKey &key) { return pair_of(derive<32>(key, "nlb-call")); }

} // namespace agent
