// SPDX-License-Identifier: Apache-2.0
// The cluster key: made, kept to its owner, read back, never overwritten; its subkeys have nothing
// in common.
#include "agent/config/key.hpp"
#include "agent/config/trust.hpp"
#include "test/unit/config/files.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

struct Directory {
    std::filesystem::path path;
    Directory() {
        char name[] = "/tmp/nlbd-key-XXXXXX";
        path = mkdtemp(name);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::string file(const char *name) const { return path / name; }
    std::string holding(const std::string &text, unsigned mode = 0600) const {
        std::ofstream(file("key"), std::ios::binary) << text;
        chmod(file("key").c_str(), mode);
        return file("key");
    }
};

const std::string kDigits = "00112233445566778899aabbccddeeff0123456789abcdef0123456789ABCDEF";

template <std::size_t size>
std::string hex(const std::array<std::uint8_t, size> &bytes) {
    std::string out;
    for (const unsigned byte : bytes)
        out += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    return out;
}

std::string refusal(const std::string &file) {
    return message_of([&] { agent::load_keys(file); });
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(config_key, Directory)

BOOST_AUTO_TEST_CASE(a_new_key_is_written_for_its_owner_alone_and_reads_back) {
    const mode_t before = umask(0);
    agent::write_new_key(file("new"));
    umask(before);
    struct stat status {};
    BOOST_TEST_REQUIRE(stat(file("new").c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600u);
    BOOST_TEST(read_whole(file("new")).size() == 65u);
    BOOST_TEST((agent::load_keys(file("new")).in_use != agent::ClusterKey{}));
}

BOOST_AUTO_TEST_CASE(two_new_keys_differ) {
    BOOST_TEST(agent::generate_key().size() == 64u);
    BOOST_TEST(agent::generate_key() != agent::generate_key());
}

BOOST_AUTO_TEST_CASE(the_digits_are_the_key) {
    const agent::ClusterKey key = agent::load_keys(holding(kDigits + '\n')).in_use;
    BOOST_TEST(key[0] == 0x00);
    BOOST_TEST(key[1] == 0x11);
    BOOST_TEST(key[31] == 0xef);
    BOOST_TEST((agent::load_keys(holding(kDigits)) == agent::ClusterKeys{key, {}})); // the newline may be missing
}

BOOST_AUTO_TEST_CASE(an_existing_key_is_never_overwritten) {
    const std::string existing = holding("precious");
    BOOST_TEST(message_of([&] { agent::write_new_key(existing); }) ==
               "write key " + existing +
                   ": File exists; a key is never overwritten, remove it first if no node uses it");
    BOOST_TEST(read_whole(existing) == "precious");
}

BOOST_AUTO_TEST_CASE(a_new_key_needs_a_place) {
    BOOST_TEST(message_of([&] { agent::write_new_key(file("no/where")); }) ==
               "write key " + file("no/where") +
                   ": No such file or directory; make its directory first: mkdir -p " + file("no"));
    std::filesystem::create_symlink("loop", file("loop"));
    BOOST_TEST(message_of([&] { agent::write_new_key(file("loop/key")); }) ==
               "write key " + file("loop/key") +
                   ": Too many levels of symbolic links; name a file in a directory that this user "
                   "can write to");
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_no_half_key) {
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit full{0, before.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &full);
    const std::string message = message_of([&] { agent::write_new_key(file("new")); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    BOOST_TEST(message == "write key " + file("new") + ": File too large; make room and try again");
    BOOST_TEST(!std::filesystem::exists(file("new")));
}

BOOST_AUTO_TEST_CASE(a_missing_key_is_refused_with_the_way_out) {
    BOOST_TEST(refusal(file("none")) ==
               "read key " + file("none") +
                   ": No such file or directory; make one with: nlbctl keygen " + file("none") +
                   ", and copy it to every node");
    std::filesystem::create_symlink("loop", file("loop"));
    BOOST_TEST(refusal(file("loop")) ==
               "read key " + file("loop") +
                   ": Too many levels of symbolic links; it must be a file that this user "
                   "can read");
}

BOOST_AUTO_TEST_CASE(a_key_that_others_can_read_is_refused) {
    for (const auto &[mode, text] : {std::pair{0604u, "0604"}, {0640u, "0640"}, {0622u, "0622"}}) {
        const std::string open = holding(kDigits, mode);
        BOOST_TEST(refusal(open) == "read key " + open +
                                        ": others than its owner have access (mode " + text +
                                        "); close it with: chmod 600 " + open);
    }
}

BOOST_AUTO_TEST_CASE(a_file_of_a_third_user_is_not_gone_by) {
    if (geteuid() != 0) return;
    const std::string file = holding(kDigits);
    BOOST_REQUIRE(chown(file.c_str(), 65534, 65534) == 0);
    const std::string why = ": it belongs to user 65534, who can change it; give it to root with: chown root ";
    BOOST_TEST(message_of([&] { agent::load_keys(file); }) == "read key " + file + why + file);
    BOOST_TEST(message_of([&] { agent::require_trusted(file); }) == "read configuration " + file + why + file);
    BOOST_REQUIRE(chown(file.c_str(), 0, 0) == 0 && chmod(file.c_str(), 0646) == 0);
    BOOST_TEST(message_of([&] { agent::require_trusted(file); }) ==
               "read configuration " + file + ": anybody may write to it; close it with: chmod o-w " + file);
    BOOST_REQUIRE(chmod(file.c_str(), 0664) == 0);
    BOOST_CHECK_NO_THROW(agent::require_trusted(file));
    BOOST_CHECK_NO_THROW(agent::require_trusted(file + "-missing"));
}

BOOST_AUTO_TEST_CASE(what_is_no_regular_file_is_refused) {
    BOOST_TEST(refusal(path) == "read key " + path.string() +
                                    ": not a regular file; make one with: nlbctl keygen FILE");
    mkfifo(file("pipe").c_str(), 0600);
    BOOST_TEST(refusal(file("pipe")).find("not a regular file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_key_is_refused) {
    for (const std::string &text :
         {std::string(), kDigits.substr(1), kDigits + "0", kDigits + "\n\n", kDigits + "\r\n",
          'g' + kDigits.substr(1), kDigits + '\n' + kDigits, kDigits + "\n0", kDigits.substr(2) + " \n", '\n' + kDigits,
          std::string(64, '\0')})
        BOOST_TEST(refusal(holding(text)) ==
                   "read key " + file("key") +
                       ": not one line of 64 hexadecimal digits, nor two different ones; "
                       "copy it again from another node, or make a new one for all with: nlbctl "
                       "keygen");
}

BOOST_AUTO_TEST_CASE(a_key_changes_in_three_steps) {
    const std::string changing = holding(kDigits);
    const agent::ClusterKeys first = agent::load_keys(changing);
    agent::add_next_key(changing);
    const agent::ClusterKeys both = agent::load_keys(changing);
    BOOST_TEST((both.in_use == first.in_use));
    BOOST_TEST((both.other && *both.other != first.in_use));
    agent::use_next_key(changing);
    const agent::ClusterKeys swapped = agent::load_keys(changing);
    BOOST_TEST((swapped == agent::ClusterKeys{*both.other, both.in_use}));
    agent::drop_other_key(changing);
    BOOST_TEST((agent::load_keys(changing) == agent::ClusterKeys{*both.other, std::nullopt}));
    struct stat status {};
    BOOST_TEST(stat(changing.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600u);
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(path), {}) == 1); // nothing beside it
}

BOOST_AUTO_TEST_CASE(a_link_to_a_key_stays_one) {
    const std::string changing = holding(kDigits), link = changing + ".link";
    std::filesystem::create_symlink(changing, link);
    agent::add_next_key(link);
    BOOST_TEST(std::filesystem::is_symlink(link));
    BOOST_TEST(agent::load_keys(changing).other.has_value());
}

BOOST_AUTO_TEST_CASE(a_step_that_is_not_the_next_one_is_refused) {
    const std::string changing = holding(kDigits);
    const std::string one = "change key " + changing +
                            ": holds one key alone; begin a change with: nlbctl keygen --next " +
                            changing;
    BOOST_TEST(message_of([&] { agent::use_next_key(changing); }) == one);
    BOOST_TEST(message_of([&] { agent::drop_other_key(changing); }) == one);
    agent::add_next_key(changing);
    BOOST_TEST(message_of([&] { agent::add_next_key(changing); }) ==
               "change key " + changing +
                   ": holds two keys already; finish that change first: nlbctl keygen --use, then "
                   "--drop");
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_the_key_that_was_there) {
    const std::string changing = holding(kDigits);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit full{0, before.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &full);
    const std::string message = message_of([&] { agent::add_next_key(changing); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    BOOST_TEST(message == "write key " + changing + ": File too large; nothing was changed");
    BOOST_TEST(read_whole(changing) == kDigits);
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(path), {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_fingerprint_tells_keys_and_their_places_apart) {
    const agent::ClusterKey one{1}, two{2};
    const std::set<std::uint64_t> all = {
        agent::fingerprint({one, {}}), agent::fingerprint({two, {}}), agent::fingerprint({one, two}),
        agent::fingerprint({two, one})};
    BOOST_TEST(all.size() == 4u);
    BOOST_TEST(agent::fingerprint({one, two}) == agent::fingerprint({one, two}));
}

BOOST_AUTO_TEST_CASE(subkeys_follow_from_the_key_and_not_from_each_other) {
    const agent::ClusterKey key = agent::load_keys(holding(kDigits)).in_use;
    agent::ClusterKey other = key;
    other[31] ^= 1;
    BOOST_TEST((agent::hash_key(key) == agent::hash_key(key)));
    BOOST_TEST((agent::hash_key(key) != agent::hash_key(other)));
    BOOST_TEST((agent::beat_key(key) != agent::beat_key(other)));
    BOOST_TEST((agent::beat_key(key) != key));
}

// keyed BLAKE2b of nothing, salt 1, personalised by the context: as computed by Python's hashlib.
// Nodes of two versions derive the same keys, or they do not form a cluster.
BOOST_AUTO_TEST_CASE(subkeys_never_change) {
    const agent::ClusterKey key = agent::load_keys(holding(kDigits)).in_use;
    BOOST_TEST(hex(agent::hash_key(key)) == "2634a2b5cef706aa92099eb503f9e339");
    BOOST_TEST(hex(agent::beat_key(key)) ==
               "082086bb9d031ca6fb78cfc573986527a1043a46b28303be569ff15843883a8e");
}

BOOST_AUTO_TEST_SUITE_END()
