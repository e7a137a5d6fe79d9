// SPDX-License-Identifier: Apache-2.0
#include "agent/host/interface.hpp"
#include "test/host/node.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// From here on, ioctl ends this process.
bool forbid_ioctl() {
    sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{4, static_cast<sock_filter *>(filter)};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(host_interface, Node)

BOOST_AUTO_TEST_CASE(interface_is_described) {
    const auto found = filter::require_interface("eth0");
    BOOST_TEST(filter::to_string(found.mac) == "0a:00:00:00:00:99");
    BOOST_TEST(found.index > 1);
    BOOST_TEST(found.up);
    BOOST_TEST(eventually([] { return filter::require_interface("eth0").running; }));
    on_client("ip link set client0 down");
    BOOST_TEST(eventually([] { return !filter::require_interface("eth0").running; }));
    BOOST_TEST(filter::require_interface("eth0").up);
    run("ip link set eth0 down");
    BOOST_TEST(!filter::require_interface("eth0").up);
}

BOOST_AUTO_TEST_CASE(names_that_no_interface_can_have_are_not_found) {
    for (const auto *name : {"", "eth9", "a-name-that-is-too-long", "eth0 "})
        BOOST_TEST(!agent::find_interface(name).has_value(), name);
}

// Asked by ioctl for a name that no interface has, the kernel runs modprobe and waits for it.
BOOST_AUTO_TEST_CASE(missing_interface_is_looked_for_without_ioctl) {
    const pid_t child = fork();
    if (child == 0)
        _exit(forbid_ioctl() && !agent::find_interface("eth9") && !agent::find_interface("") &&
                      filter::index_of("eth0") > 1 && filter::index_of("eth9") == 0
                  ? 0
                  : 1);
    int status = -1;
    BOOST_TEST(waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(every_change_of_a_link_is_noticed) {
    agent::LinkWatch watch;
    BOOST_TEST(!watch.drain());
    for (const auto *command :
         {"ip link set eth0 down", "ip link set eth0 up", "ip link delete eth0",
          "ip link add eth0 type veth peer name other0"}) {
        run(command);
        BOOST_TEST(eventually([&] { return watch.drain(); }), command);
        BOOST_TEST(eventually([&] { return !watch.drain(); }), command);
    }
}

BOOST_AUTO_TEST_CASE(flood_that_loses_notices_counts_as_a_change) {
    agent::LinkWatch watch;
    run("for i in $(seq 1000); do echo link set eth0 mtu $((1400 + i % 2)); done | ip -batch -");
    BOOST_TEST(watch.drain());
    BOOST_TEST(!watch.drain());
}

BOOST_AUTO_TEST_SUITE_END()
