// SPDX-License-Identifier: Apache-2.0
// What attaching leaves behind (nothing), takes over (what a killed predecessor left), respects
// (what is not ours), and says when it cannot.
#include "host.hpp"
#include "packets.hpp"

#include "filter/bpf/datapath.hpp"
#include "filter/tc/tc.hpp"
#include "filter/xdp/xdp.hpp"

#include <boost/test/unit_test.hpp>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <filesystem>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

using filter::Mode;
using filter::XdpMode;

namespace {

std::string output_of(const std::string &command) {
    std::string text;
    FILE *pipe = popen(command.c_str(), "r");
    for (int c; (c = fgetc(pipe)) != EOF;)
        text += static_cast<char>(c);
    pclose(pipe);
    return text;
}

bool has_hook() { return output_of("tc qdisc show dev near").find("clsact") != std::string::npos; }

bool has_filter() {
    return output_of("tc filter show dev near ingress 2>/dev/null").find("nlbd_tc") !=
           std::string::npos;
}

bool nothing_left() {
    return attached_xdp_program() == 0 && !has_hook() &&
           !std::filesystem::exists(Host::pin_dir("node"));
}

std::string error_of(const std::string &interface, XdpMode mode, const std::string &pin_dir,
                     const filter::Settings &with = settings()) {
    try {
        filter::xdp::attach(interface, mode, pin_dir, with);
        return "no error";
    } catch (const std::exception &error) {
        return error.what();
    }
}

bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

// A foreign XDP program: passes everything.
struct Stranger {
    int program, link;
    Stranger() {
        bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
        program = bpf_prog_load(BPF_PROG_TYPE_XDP, "stranger", "GPL", code, 2, nullptr);
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);
        link =
            bpf_link_create(program, static_cast<int>(if_nametoindex("near")), BPF_XDP, &options);
        BOOST_REQUIRE(link >= 0);
    }
    Stranger(const Stranger &) = delete;
    ~Stranger() {
        close(link);
        close(program);
        wait_for([] { return attached_xdp_program() == 0; });
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(attachment)

BOOST_AUTO_TEST_CASE(detaching_leaves_nothing) {
    for (XdpMode mode : {XdpMode::native, XdpMode::generic, XdpMode::best}) {
        auto datapath = attach_xdp(mode);
        BOOST_TEST(attached_xdp_program() != 0u);
        BOOST_TEST(has_filter());
        datapath.reset();
        BOOST_TEST(nothing_left());
    }
}

BOOST_AUTO_TEST_CASE(the_mode_is_what_the_kernel_says) {
    BOOST_TEST((attach_xdp(XdpMode::native)->mode() == Mode::native));
    BOOST_TEST((attach_xdp(XdpMode::generic)->mode() == Mode::generic));
    BOOST_TEST((attach_xdp(XdpMode::best)->mode() == Mode::generic)); // on a veth
}

BOOST_AUTO_TEST_CASE(a_tc_hook_that_was_there_stays) {
    shell("tc qdisc add dev near clsact");
    attach_xdp(filter::XdpMode::generic).reset();
    BOOST_TEST(has_hook());
    BOOST_TEST(!has_filter());
    shell("tc qdisc del dev near clsact");
    BOOST_TEST(nothing_left());
}

BOOST_AUTO_TEST_CASE(what_a_killed_process_left_is_taken_over) {
    for (XdpMode before : {XdpMode::native, XdpMode::generic}) {
        for (XdpMode after : {XdpMode::native, XdpMode::generic, XdpMode::best}) {
            attach_and_die([=] { return attach_xdp(before); });
            BOOST_TEST(attached_xdp_program() != 0u);
            BOOST_TEST(has_filter());
            auto datapath = attach_xdp(after);
            BOOST_TEST(
                (datapath->mode() == (after == XdpMode::native ? Mode::native : Mode::generic)));
            datapath.reset();
            BOOST_TEST(nothing_left());
        }
    }
}

BOOST_AUTO_TEST_CASE(kept_means_kept) {
    auto datapath = attach_xdp(filter::XdpMode::generic);
    datapath->keep();
    datapath.reset();
    BOOST_TEST(attached_xdp_program() != 0u);
    BOOST_TEST(has_filter());
    attach_xdp(filter::XdpMode::generic).reset();
    BOOST_TEST(nothing_left());
}

// Its link went with its interface; only the pins are left.
BOOST_AUTO_TEST_CASE(pins_of_an_interface_that_is_gone_are_no_obstacle) {
    shell("ip link add other type veth peer name end");
    filter::xdp::attach("other", XdpMode::generic, Host::pin_dir("node"), settings())->keep();
    shell("ip link del other");
    attach_xdp(filter::XdpMode::generic).reset();
    BOOST_TEST(nothing_left());
}

// The second lock stays as well as the memory of what is ours, until the next start or remove_xdp.
BOOST_AUTO_TEST_CASE(a_start_that_fails_leaves_what_a_killed_process_left) {
    filter::Settings twice = settings();
    twice.virtual_ips.push_back(twice.virtual_ips.front());
    for (bool goes_on : {true, false}) {
        attach_and_die([] { return attach_xdp(XdpMode::generic); });
        error_of("near", XdpMode::best, Host::pin_dir("node"), twice);
        BOOST_TEST(attached_xdp_program() != 0u);
        BOOST_TEST(has_filter());
        goes_on ? attach_xdp(filter::XdpMode::generic).reset() : filter::bpf::remove("near", Host::pin_dir("node"));
        BOOST_TEST(nothing_left());
    }
}

BOOST_AUTO_TEST_CASE(a_start_that_finds_a_strangers_program_leaves_the_second_lock) {
    attach_and_die([] { return attach_xdp(XdpMode::generic); });
    filter::bpf::detach_link(filter::Descriptor(bpf_obj_get((Host::pin_dir("node") + "/link").c_str())));
    {
        Stranger stranger;
        error_of("near", XdpMode::best, Host::pin_dir("node"));
        BOOST_TEST(has_filter());
    }
    filter::bpf::remove("near", Host::pin_dir("node"));
    BOOST_TEST(nothing_left());
}

BOOST_AUTO_TEST_CASE(another_nlbd_on_the_interface_is_named_and_left_alone) {
    auto first = attach_xdp(filter::XdpMode::generic);
    std::string error = error_of("near", XdpMode::best, Host::pin_dir("second"));
    BOOST_TEST(contains(error, "attach xdp to near: occupied by XDP program 'nlbd_xdp' (id "),
               error);
    BOOST_TEST(contains(error, "another nlbd"), error);
    BOOST_TEST(!std::filesystem::exists(Host::pin_dir("second")));
    BOOST_TEST(has_filter());
    BOOST_TEST((first->mode() == Mode::generic));
}

BOOST_AUTO_TEST_CASE(a_strangers_program_is_named_and_left_alone) {
    Stranger stranger;
    unsigned id = attached_xdp_program();
    std::string error = error_of("near", XdpMode::best, Host::pin_dir("node"));
    BOOST_TEST(
        contains(error, "occupied by XDP program 'stranger' (id " + std::to_string(id) + ")"),
        error);
    BOOST_TEST(attached_xdp_program() == id);
    BOOST_TEST(!has_hook());
    BOOST_TEST(!std::filesystem::exists(Host::pin_dir("node")));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_used_is_named_with_the_way_out) {
    std::string pins = Host::pin_dir("node");
    BOOST_TEST(contains(error_of("nowhere", XdpMode::best, pins),
                        "interface nowhere: does not exist; existing: "));
    BOOST_TEST(contains(error_of("an-interface-with-a-long-name", XdpMode::best, pins),
                        "does not exist"));
    BOOST_TEST(error_of("lo", XdpMode::best, pins) == "interface lo: is not an Ethernet interface");
    BOOST_TEST(error_of("near", XdpMode::best, "/tmp/nlbd_no_bpffs") ==
               "pin BPF objects in /tmp/nlbd_no_bpffs: not a bpffs: `mount -t bpf bpf "
               "/tmp/nlbd_no_bpffs`");
    BOOST_TEST(!std::filesystem::exists("/tmp/nlbd_no_bpffs"));
    filter::Settings twice = settings();
    twice.virtual_ips.push_back(twice.virtual_ips.front());
    BOOST_TEST(contains(error_of("near", XdpMode::best, pins, twice), "an address is there twice"));
    BOOST_TEST(nothing_left());
}

BOOST_AUTO_TEST_CASE(a_driver_that_cannot_is_named_also_where_generic_xdp_will_do) {
    shell("ip tuntap add dev tap0 mode tap && ip link add br0 type bridge");
    std::string error = error_of("br0", XdpMode::native, Host::pin_dir("node"));
    BOOST_TEST(contains(error, "attach xdp to br0: Operation not supported; "), error);
    BOOST_CHECK_THROW(filter::xdp::attach("br0", XdpMode::native, Host::pin_dir("node"), settings()),
                      filter::xdp::Lacking);
    std::vector<filter::StepDown> steps_down;
    auto datapath =
        filter::xdp::attach("br0", XdpMode::best, Host::pin_dir("node"), settings(), &steps_down);
    BOOST_TEST((datapath->mode() == Mode::generic));
    BOOST_TEST_REQUIRE(steps_down.size() == 1u);
    BOOST_TEST(steps_down[0].why == "native xdp on br0: Operation not supported");
    BOOST_TEST(steps_down[0].lacking);
    datapath.reset();
    shell("ip link del br0 && ip link del tap0");
}

BOOST_AUTO_TEST_CASE(without_the_capability_one_line_says_so) {
    std::filesystem::create_directory(Host::pin_dir("open"));
    std::filesystem::permissions(Host::pin_dir("open"), std::filesystem::perms::all);
    int result = in_a_process([] {
        if (setgid(65534) != 0 || setuid(65534) != 0) _exit(2);
        std::string error = error_of("near", XdpMode::best, Host::pin_dir("open"));
        _exit(
            error ==
                    "load the BPF programs: Operation not permitted; run as root, or with CAP_BPF, "
                    "CAP_PERFMON and CAP_NET_ADMIN"
                ? 0
                : 3);
    });
    BOOST_TEST(result == 0);
    std::filesystem::remove(Host::pin_dir("open"));
    BOOST_TEST(nothing_left());
}

BOOST_AUTO_TEST_SUITE_END()
