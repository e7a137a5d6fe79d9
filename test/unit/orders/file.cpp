// SPDX-License-Identifier: Apache-2.0
// Orders: as text, on disk, and what is damaged.
#include "agent/orders/file.hpp"

#include "test/unit/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

using agent::Orders;
using agent::OrdersFile;
using agent::RuleOrder;
using agent_test::TemporaryDirectory;

Orders everything() {
    Orders orders;
    orders.part = agent::Part::drain;
    orders.drain_until = 1'900'000'000;
    orders.suspended = true;
    orders.weight = std::uint8_t{30};
    orders.rules = {{"dns", RuleOrder::draining}, {"http", RuleOrder::disabled}};
    return orders;
}

// Why it failed; empty: it did not.
std::string write(OrdersFile &file, const Orders &orders) {
    file.begin(orders);
    for (;;) {
        if (const auto failure = file.finished()) return *failure;
        usleep(100);
    }
}

bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

} // namespace

// A disk whose directories cannot be synced.
static std::atomic<bool> directories_sync = true;
int fsync(int descriptor) {
    struct stat about {};
    if (!directories_sync && fstat(descriptor, &about) == 0 && S_ISDIR(about.st_mode)) {
        errno = EIO;
        return -1;
    }
    return static_cast<int>(syscall(SYS_fsync, descriptor));
}

BOOST_AUTO_TEST_SUITE(agent_orders)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_again) {
    for (const Orders &orders : {Orders{}, everything()})
        BOOST_TEST((agent::parse_orders(agent::to_text(orders)) == orders));
}

BOOST_AUTO_TEST_CASE(damage_is_found_at_every_length_and_in_every_value) {
    const std::string text = agent::to_text(everything());
    for (std::size_t size = 0; size + 2 < text.size(); ++size)
        BOOST_CHECK_THROW(agent::parse_orders(text.substr(0, size)), std::runtime_error);
    for (const auto &[good, bad] : std::initializer_list<std::pair<const char *, const char *>>{
             {"\"version\":1", "\"version\":2"},
             {"\"part\":\"drain\"", "\"part\":\"dream\""},
             {"\"part\":\"drain\"", "\"pert\":\"drain\""},
             {"\"part\":\"drain\"", "\"part\":3"},
             {"1900000000", "-1"},
             {"1900000000", "\"soon\""},
             {"\"suspended\":true", "\"suspended\":1"},
             {"\"weight\":30", "\"weight\":101"},
             {"\"weight\":30", "\"weight\":30,\"more\":1"},
             {"\"draining\"", "\"enabled\""},
             {"{\"dns\":\"draining\",\"http\":\"disabled\"}", "[]"}}) {
        std::string damaged = text;
        const std::size_t at = damaged.find(good);
        BOOST_REQUIRE(at != std::string::npos);
        damaged.replace(at, std::string(good).size(), bad);
        BOOST_CHECK_THROW(agent::parse_orders(damaged), std::runtime_error);
    }
}

BOOST_AUTO_TEST_CASE(the_file_is_there_as_long_as_there_is_an_order) {
    const TemporaryDirectory dir;
    OrdersFile file(dir.path + "/state");
    BOOST_TEST((file.load() == Orders{}));
    BOOST_TEST(write(file, everything()) == "");
    BOOST_TEST((file.load() == everything()));
    struct stat about {};
    BOOST_REQUIRE(stat(file.path().c_str(), &about) == 0);
    BOOST_TEST((about.st_mode & 0777) == 0600u);
    BOOST_TEST(access((file.path() + ".new").c_str(), F_OK) != 0);
    BOOST_TEST(write(file, Orders{}) == "");
    BOOST_TEST(access(file.path().c_str(), F_OK) != 0);
    BOOST_TEST(write(file, Orders{}) == "");
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_named_with_the_way_out) {
    const TemporaryDirectory dir;
    const OrdersFile file(dir.path);
    for (const char *damage : {"", "{", "garbage", "{\"version\":1}"}) {
        std::ofstream(file.path(), std::ios::trunc) << damage;
        BOOST_CHECK_EXCEPTION(file.load(), std::runtime_error, [&](const auto &error) {
            return contains(error.what(), "read orders " + file.path()) &&
                   contains(error.what(), "remove it");
        });
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_leaves_what_was_there) {
    const TemporaryDirectory dir;
    OrdersFile file(dir.path);
    BOOST_TEST(write(file, everything()) == "");
    BOOST_REQUIRE(mkdir((file.path() + ".new").c_str(), 0700) == 0); // in its way
    Orders next;
    next.suspended = true;
    const std::string failure = write(file, next);
    BOOST_TEST(contains(failure, "write orders " + file.path()), failure);
    BOOST_TEST((file.load() == everything()));
    OrdersFile nowhere("/dev/null/state");
    BOOST_TEST(contains(write(nowhere, next), "/dev/null/state"));
}

// A directory that can be written to and not opened: it is found out before the order is in force.
BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_synced_leaves_what_was_there) {
    const TemporaryDirectory dir;
    OrdersFile file(dir.path + "/state");
    BOOST_TEST(write(file, everything()) == "");
    const uid_t me = geteuid(), somebody = me == 0 ? 65534 : me;
    BOOST_REQUIRE(chmod(dir.path.c_str(), 0711) == 0);
    BOOST_REQUIRE(chmod((dir.path + "/state").c_str(), 0300) == 0);
    BOOST_REQUIRE(chown((dir.path + "/state").c_str(), somebody, gid_t(-1)) == 0);
    for (const Orders &next : {Orders{}, [] {
                                   Orders suspended;
                                   suspended.suspended = true;
                                   return suspended;
                               }()}) {
        BOOST_REQUIRE(seteuid(somebody) == 0);
        const std::string failure = write(file, next);
        BOOST_REQUIRE(seteuid(me) == 0);
        BOOST_TEST(contains(failure, "nothing was changed"), failure);
        BOOST_REQUIRE(chmod(dir.path.c_str(), 0755) == 0);
        BOOST_TEST((file.load() == everything()));
    }
    BOOST_REQUIRE(chmod((dir.path + "/state").c_str(), 0700) == 0);
}

BOOST_AUTO_TEST_CASE(
    an_order_that_is_in_the_file_is_done_also_when_the_directory_cannot_be_synced) {
    const TemporaryDirectory dir;
    OrdersFile file(dir.path);
    for (const Orders &next : {everything(), Orders{}}) {
        directories_sync = false;
        const std::string failure = write(file, next);
        directories_sync = true;
        BOOST_TEST(failure == "");
        BOOST_TEST((file.load() == next));
    }
}

// A disk hangs, the agent ends: the descriptor that the thread will write to must not belong to
// another file by then.
BOOST_AUTO_TEST_CASE(a_write_that_outlives_the_file_keeps_its_descriptor) {
    const TemporaryDirectory dir;
    const std::string in_its_way = dir.path + "/orders.json.new";
    BOOST_REQUIRE(mkfifo(in_its_way.c_str(), 0600) == 0); // a writer waits for a reader
    std::optional<OrdersFile> file(dir.path);
    const int number = file->descriptor();
    file->begin(everything());
    file.reset();
    BOOST_TEST(fcntl(number, F_GETFD) >= 0);
    const filter::Descriptor reader(open(in_its_way.c_str(), O_RDONLY));
    for (int i = 0; i < 5000 && fcntl(number, F_GETFD) >= 0; ++i)
        usleep(1000);
    BOOST_TEST(fcntl(number, F_GETFD) < 0);
}

// A real-time loop that is woken and finds nothing would turn, and hold up the thread that writes.
BOOST_AUTO_TEST_CASE(who_is_woken_finds_the_result) {
    const TemporaryDirectory dir;
    OrdersFile file(dir.path);
    for (int i = 0; i < 300; ++i) {
        file.begin(everything());
        pollfd waiting{file.descriptor(), POLLIN, 0};
        BOOST_REQUIRE(poll(&waiting, 1, 10000) == 1);
        BOOST_REQUIRE(file.finished().has_value());
        BOOST_REQUIRE(poll(&waiting, 1, 0) == 0);
    }
}

BOOST_AUTO_TEST_SUITE_END()
