// SPDX-License-Identifier: Apache-2.0
#include "host.hpp"

#include "filter/pcap/pcap.hpp"
#include "filter/tc/tc.hpp"
#include "filter/xdp/xdp.hpp"
#include "packets.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

std::string bpffs, tmpfs;

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(10);

void check(bool good, const std::string &what) {
    if (!good) throw std::runtime_error(what + ": " + std::strerror(errno));
}

int near_index() { return static_cast<int>(if_nametoindex("near")); }

unsigned tc_program(unsigned handle) {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = near_index(), .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = 1);
    return bpf_tc_query(&hook, &options) == 0 ? options.prog_id : 0;
}

void ask_driver(const std::string &interface, ethtool_value &value) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char *>(&value);
    const int result = ioctl(fd, SIOCETHTOOL, &request);
    close(fd);
    check(result == 0, "ask the driver of " + interface);
}

Run run(unsigned program, const Frame &frame, unsigned times = 1) {
    int fd = bpf_prog_get_fd_by_id(program);
    check(fd >= 0, "open program");
    Frame out(frame.size() + 256);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
                .data_size_in = static_cast<__u32>(frame.size()),
                .data_size_out = static_cast<__u32>(out.size()),
                .repeat = static_cast<int>(times));
    int error = bpf_prog_test_run_opts(fd, &options);
    close(fd);
    check(error == 0, "run program");
    out.resize(options.data_size_out);
    return {options.retval, out, options.duration};
}

} // namespace

void shell(const std::string &command) {
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

void write_file(const std::string &path, const std::string &text) {
    std::ofstream file(path);
    file << text << std::flush;
    check(file.good(), "write " + path);
}

std::string mac_of(const std::string &interface) {
    std::ifstream file("/sys/class/net/" + interface + "/address");
    std::string text;
    file >> text;
    return text;
}

void turn_on_gro(const std::string &interface) {
    ethtool_value gro{ETHTOOL_SGRO, 1};
    ask_driver(interface, gro);
}

void take_tags_off(const std::string &interface, bool off) {
    ethtool_value flags{ETHTOOL_GFLAGS, 0};
    ask_driver(interface, flags);
    flags.cmd = ETHTOOL_SFLAGS;
    flags.data = (flags.data & ~unsigned{ETH_FLAG_RXVLAN}) | (off ? unsigned{ETH_FLAG_RXVLAN} : 0);
    ask_driver(interface, flags);
}

void Host::enter() {
    check(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
    check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
    char directory[] = "/tmp/nlbd_bpf_XXXXXX";
    check(mkdtemp(directory) != nullptr, "make a directory");
    bpffs = directory;
    check(mount("bpf", directory, "bpf", 0, nullptr) == 0, "mount a bpffs");
    char tables[] = "/tmp/nlbd_tables_XXXXXX";
    check(mkdtemp(tables) != nullptr, "make a directory");
    tmpfs = tables;
    check(mount("tmpfs", tables, "tmpfs", 0, nullptr) == 0, "mount a tmpfs");
    check(mount("sys", "/sys", "sysfs", 0, nullptr) == 0, "mount sysfs"); // shows this namespace
    for (const char *name : {"all", "default"})
        write_file(std::string("/proc/sys/net/ipv4/conf/") + name + "/rp_filter", "0");
    shell("ip link set lo up && ip link add near type veth peer name far");
    write_file("/proc/sys/net/ipv6/conf/far/disable_ipv6", "1"); // it would talk of its own accord
    shell("ip link set near up && ip link set far up");
    for (const char *address : {"192.0.2.100/32", "192.0.2.101/32", "192.0.2.7/32"})
        shell(std::string("ip address add ") + address + " dev lo");
    for (const char *address : {"fd00::100/128", "fd00::7/128"})
        shell(std::string("ip address add ") + address + " dev lo nodad");
    shell("ip route add 198.51.100.0/24 dev near && ip -6 route add fd01::/64 dev near");
    shell("ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev near");
    shell("ip neigh add fd01::9 lladdr 02:00:00:00:00:09 dev near");
}

void Host::leave() {
    for (const std::string &directory : {bpffs, tmpfs}) {
        umount(directory.c_str());
        rmdir(directory.c_str());
    }
}

std::string Host::pin_dir(const std::string &name) { return bpffs + "/" + name; }

std::string Host::tables_dir() { return tmpfs; }

filter::Settings settings() {
    filter::Settings result;
    for (const char *address : {"192.0.2.100", "192.0.2.101", "fd00::100"})
        result.virtual_ips.push_back(*filter::parse_ip(address));
    filter::Rule http, dns, range, off, second;
    http.tcp = dns.udp = range.tcp = range.udp = off.tcp = second.tcp = true;
    http.first_port = http.last_port = 80;
    dns.first_port = dns.last_port = 53;
    dns.affinity = filter::Affinity::none;
    range.first_port = 8000;
    range.last_port = 8999;
    range.affinity = filter::Affinity::network;
    off.first_port = off.last_port = 9999;
    off.disabled = true;
    second.first_port = second.last_port = 443;
    second.virtual_ips = 1u << 1;
    result.rules = {http, dns, range, off, second};
    result.cluster_mac = packets::kClusterMac;
    for (std::size_t i = 0; i < result.hash_key.size(); i++)
        result.hash_key[i] = static_cast<std::uint8_t>(17 * i + 3);
    return result;
}

filter::Tables all_mine() {
    filter::Tables tables = nothing_mine();
    for (filter::Table &table : tables)
        table.mine.fill(~std::uint64_t{0});
    return tables;
}

filter::Tables nothing_mine(bool has_owner) {
    filter::Tables tables(settings().rules.size() + 1);
    for (filter::Table &table : tables)
        table.has_owner = has_owner;
    return tables;
}

filter::GroupSet all_groups() {
    filter::GroupSet groups;
    groups.fill(~std::uint64_t{0});
    return groups;
}

filter::GroupSet one_group(unsigned bucket) {
    filter::GroupSet groups{};
    unsigned group = bucket / filter::kBucketsPerGroup;
    groups[group / 64] = std::uint64_t{1} << group % 64;
    return groups;
}

bool over_tc() {
    const char *datapath = std::getenv("NLBD_DATAPATH");
    return datapath && std::string(datapath) == "tc";
}

std::unique_ptr<filter::Datapath> attach() {
    return over_tc() ? attach_tc() : attach_xdp(filter::XdpMode::generic);
}

std::unique_ptr<filter::Datapath> attach_tc() {
    auto datapath = filter::tc::attach("near", Host::pin_dir("node"), settings());
    datapath->set_lease(kForever);
    return datapath;
}

std::unique_ptr<filter::Datapath> attach_xdp(filter::XdpMode mode) {
    auto datapath = filter::xdp::attach("near", mode, Host::pin_dir("node"), settings());
    datapath->set_lease(kForever);
    return datapath;
}

std::unique_ptr<filter::Datapath> attach_pcap() {
    auto datapath = filter::pcap::attach("near", Host::tables_dir(), settings());
    shell("ip address add 192.0.2.100/32 dev nlb-near && "
          "ip address add fd00::100/128 dev nlb-near nodad");
    datapath->set_lease(kForever);
    return datapath;
}

int in_a_process(const std::function<void()> &action) {
    pid_t child = fork();
    if (child == 0) {
        try {
            action();
        } catch (...) {
            _exit(1);
        }
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void attach_and_die(const std::function<std::unique_ptr<filter::Datapath>()> &action) {
    if (in_a_process([&] { action().release(); }) != 0)
        throw std::runtime_error("the process that was to attach failed");
}

std::uint64_t counter(const filter::Datapath &datapath, const std::string &reason) {
    for (const filter::Counter &one : datapath.counters())
        if (one.reason == reason) return one.packets;
    throw std::logic_error("no counter " + reason);
}

unsigned attached_xdp_program() {
    LIBBPF_OPTS(bpf_xdp_query_opts, attached);
    bpf_xdp_query(near_index(), 0, &attached);
    return attached.prog_id;
}

Run run_xdp(const Frame &frame, unsigned times) {
    return run(attached_xdp_program(), frame, times);
}

Run run_tc(const Frame &frame) { return run(tc_program(0x6e6c6264), frame); }

unsigned attached_tc_program() { return tc_program(0x6e6c6265); }

Run run_judging(const filter::Datapath &datapath, const Frame &frame) {
    return run(datapath.program(), frame);
}

bool drops(const filter::Datapath &datapath, const Run &run) {
    return run.result == unsigned(datapath.kind() == "tc" ? TC_ACT_SHOT : XDP_DROP);
}

PassProgram::PassProgram(const std::string &interface) : index_(static_cast<int>(if_nametoindex(interface.c_str()))) {
    const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    const int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "stranger", "GPL", code, 2, nullptr);
    check(program >= 0, "load a program");
    const int error = bpf_xdp_attach(index_, program, XDP_FLAGS_DRV_MODE, nullptr);
    close(program);
    check(error == 0, "attach a program to " + interface);
}

PassProgram::~PassProgram() { bpf_xdp_detach(index_, XDP_FLAGS_DRV_MODE, nullptr); }

Wire::Wire() : socket_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    check(socket_ >= 0, "open a packet socket");
    sockaddr_ll far{};
    far.sll_family = AF_PACKET;
    far.sll_protocol = htons(ETH_P_ALL);
    far.sll_ifindex = static_cast<int>(if_nametoindex("far"));
    check(bind(socket_, reinterpret_cast<sockaddr *>(&far), sizeof far) == 0, "bind to far");
}

Wire::~Wire() { close(socket_); }

void Wire::send(const Frame &frame) const {
    check(::send(socket_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()),
          "send a frame");
}

Frame Wire::receive(const std::function<bool(const Frame &)> &wanted) const {
    for (auto end = Clock::now() + kPatience; Clock::now() < end;) {
        pollfd ready{socket_, POLLIN, 0};
        if (poll(&ready, 1, 100) <= 0) continue;
        Frame frame(70000);
        sockaddr_ll from{};
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(socket_, frame.data(), frame.size(), 0,
                               reinterpret_cast<sockaddr *>(&from), &size);
        if (got <= 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
        frame.resize(static_cast<std::size_t>(got));
        if (wanted(frame)) return frame;
    }
    throw std::runtime_error("the host did not send what was waited for");
}

void wait_for(const std::function<bool()> &condition) {
    for (auto end = Clock::now() + kPatience; Clock::now() < end;) {
        if (condition()) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    throw std::runtime_error("waited in vain");
}
