// SPDX-License-Identifier: Apache-2.0
// The programs in the kernel, packet by packet. Exit code 77: skipped, because this needs root.
#define BOOST_TEST_MODULE bpf
#define BOOST_TEST_NO_MAIN
#include "host.hpp"

#include <boost/test/unit_test.hpp>
#include <iostream>
#include <unistd.h>

struct PrivateHost {
    PrivateHost() { Host::enter(); }
    ~PrivateHost() { Host::leave(); }
};
BOOST_TEST_GLOBAL_FIXTURE(PrivateHost);

int main(int argc, char **argv) {
    if (geteuid() != 0) {
        std::cerr << "skipped: loading BPF programs needs root\n";
        return 77;
    }
    return boost::unit_test::unit_test_main(&init_unit_test, argc, argv);
}
