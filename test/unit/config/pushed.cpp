// SPDX-License-Identifier: Apache-2.0
// What another node may send, and how it takes the place of the file that is there.
#include "agent/config/pushed.hpp"
#include "test/unit/config/files.hpp"
#include "test/unit/config/texts.hpp"
#include "test/unit/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace agent_test;

const std::string kAddress = virtual_ip("192.0.2.100");
const std::string kPlain = kTwoNodes + kAddress;

std::string exec(const std::string &command, const std::string &user = "nobody") {
    return rule("shop", "tcp", "80",
                "health = { type = \"exec\", command = [\"" + command + "\"], user = \"" + user + "\" }");
}

void check_refused(const std::string &present, const std::string &next, const std::string &why) {
    const agent::Config there = agent::parse_config(present, "there.toml");
    BOOST_CHECK_EXCEPTION(agent::parse_pushed(there, next), std::runtime_error, [&](const auto &error) {
        const std::string what = error.what();
        BOOST_TEST(what.starts_with("there.toml:"), what);
        BOOST_TEST(what.find(why) != std::string::npos, what);
        return true;
    });
}

void write(const std::string &file, const std::string &text) {
    std::ofstream(file, std::ios::binary) << text;
}

struct Files {
    TemporaryDirectory directory;
    std::string file = directory.path + "/cluster.toml", pushed = directory.path + "/pushed.toml";
    Files() { write(file, kPlain); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(config_pushed)

BOOST_AUTO_TEST_CASE(a_pushed_file_brings_no_command_no_user_and_no_key) {
    check_refused(kPlain, kPlain + exec("/bin/true"), "rule \"shop\"");
    check_refused(kPlain + exec("/bin/true"), kPlain + exec("/bin/false"), "rule \"shop\"");
    check_refused(kPlain + exec("/bin/true"), kPlain + exec("/bin/true", "www-data"), "rule \"shop\"");
    std::string other_key = kPlain;
    other_key.insert(other_key.find("interface"), "key_file = \"/tmp/key\"\n    ");
    check_refused(kPlain, other_key, "cluster.key_file");
    check_refused(kPlain, kPlain + std::string(agent::kMaxPushed, '\n'), "65536");
    check_refused(kPlain, kPlain + "[cluster]\n", "");
    const agent::Config there = agent::parse_config(kPlain + exec("/bin/true"), "there.toml");
    BOOST_TEST(agent::parse_pushed(there, kPlain).rules.empty());
    BOOST_TEST(agent::parse_pushed(there, kPlain + exec("/bin/true")).rules.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(the_former_file_stays_beside_the_new_one, Files) {
    chmod(file.c_str(), 0640);
    for (const std::string text : {"second", "third"})
        agent::replace_config(file, text);
    BOOST_TEST(read_whole(file) == "third");
    BOOST_TEST(read_whole(file + ".old") == "second");
    struct stat about {};
    BOOST_TEST(stat(file.c_str(), &about) == 0);
    BOOST_TEST((about.st_mode & 0777) == 0640u);
    BOOST_TEST(access((file + "." + std::to_string(getpid()) + ".new").c_str(), F_OK) != 0);
}

BOOST_FIXTURE_TEST_CASE(a_link_is_not_replaced, Files) {
    const std::string link = directory.path + "/link.toml";
    BOOST_TEST(symlink(file.c_str(), link.c_str()) == 0);
    BOOST_CHECK_THROW(agent::replace_config(link, "x"), std::runtime_error);
    BOOST_TEST(read_whole(file) == kPlain);
}

BOOST_FIXTURE_TEST_CASE(root_takes_what_it_may_and_follows_no_link, Files) {
    const std::string next = kPlain + "[agent]\ndrain_ms = 9\n";
    write(pushed, next);
    agent::accept_config(pushed, file);
    BOOST_TEST(read_whole(file) == next);
    BOOST_TEST(read_whole(file + ".old") == kPlain);

    write(pushed, kPlain + exec("/bin/true"));
    BOOST_CHECK_THROW(agent::accept_config(pushed, file), std::runtime_error);
    write(pushed, "nonsense");
    BOOST_CHECK_THROW(agent::accept_config(pushed, file), std::runtime_error);
    const std::string other = directory.path + "/other";
    write(other, kPlain);
    unlink(pushed.c_str());
    BOOST_TEST(symlink(other.c_str(), pushed.c_str()) == 0);
    BOOST_CHECK_THROW(agent::accept_config(pushed, file), std::runtime_error);
    unlink(pushed.c_str());
    BOOST_TEST(link(other.c_str(), pushed.c_str()) == 0);
    BOOST_CHECK_THROW(agent::accept_config(pushed, file), std::runtime_error);
    unlink(pushed.c_str());
    BOOST_TEST(mkfifo(pushed.c_str(), 0600) == 0);
    BOOST_CHECK_THROW(agent::accept_config(pushed, file), std::runtime_error);
    BOOST_TEST(read_whole(file) == next);
}

BOOST_AUTO_TEST_SUITE_END()
