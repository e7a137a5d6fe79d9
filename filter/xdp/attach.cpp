// SPDX-License-Identifier: Apache-2.0
#include "filter/xdp/attach.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/pkt_sched.h>
#include <memory>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace filter::xdp {

namespace {

constexpr const char *kPinNames[] = {"link", "state", "counters", kShownPin, kShownCountsPin};

// A place of our own on the tc hook, so that a leftover is found and nobody else's filter is
// touched. Before all others, for each of them may let a frame in past those behind it; where a filter of
// another kind has the first place, and in former releases, far behind.
constexpr std::uint32_t kTcHandle = 0x6e6c6264; // "nlbd"
constexpr std::uint32_t kTcFirst = 1, kTcBehind = 7777;
constexpr std::uint32_t kTcPlaces[] = {kTcFirst, kTcBehind};

bool is_bpffs(const std::string &path) {
    struct statfs info {};
    return statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

bpf_tc_hook tc_hook(int index, bpf_tc_attach_point point) {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index, .attach_point = point);
    return hook;
}

// Whether a filter hangs on the hook, in either direction; true as well when the kernel does not say.
bool in_use(int interface_index) {
    const std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
    if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) < 0) return true;
    for (const std::uint32_t direction : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS}) {
        nl_cache *raw = nullptr;
        if (rtnl_cls_alloc_cache(socket.get(), interface_index, TC_H_MAKE(TC_H_CLSACT, direction), &raw) < 0)
            return true;
        const std::unique_ptr<nl_cache, decltype(&nl_cache_free)> filters(raw, nl_cache_free);
        if (!nl_cache_is_empty(raw)) return true;
    }
    return false;
}

// To an interface that is gone nothing is attached.
bpf_xdp_query_opts query(int index) {
    LIBBPF_OPTS(bpf_xdp_query_opts, attached);
    const int error = bpf_xdp_query(index, 0, &attached);
    if (error != 0 && error != -ENODEV) fail("ask which XDP program is attached", -error);
    return attached;
}

std::uint32_t attached_program(const bpf_xdp_query_opts &attached) {
    for (std::uint32_t id : {attached.drv_prog_id, attached.skb_prog_id, attached.hw_prog_id})
        if (id != 0) return id;
    return attached.prog_id;
}

// Also of an agent that was killed: its filter stays on the hook, and can be asked for without a right.
bool has_tc_filter(int index) {
    return std::ranges::any_of(kTcPlaces, [index](std::uint32_t place) {
        bpf_tc_hook hook = tc_hook(index, BPF_TC_INGRESS);
        LIBBPF_OPTS(bpf_tc_opts, options, .handle = kTcHandle, .priority = place);
        return bpf_tc_query(&hook, &options) == 0;
    });
}

int put_tc_filter(bpf_tc_hook &hook, int program, std::uint32_t place) {
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE,
                .handle = kTcHandle, .priority = place);
    return bpf_tc_attach(&hook, &options);
}

void take_tc_filter(bpf_tc_hook &hook, std::uint32_t place) {
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = kTcHandle, .priority = place);
    bpf_tc_detach(&hook, &options);
}

// Which program is in the way, and how to get it out of it. Without CAP_SYS_ADMIN the kernel does not say its
// name, but nlbd's has a tc filter beside it.
[[noreturn]] void fail_occupied(const Interface &interface, std::uint32_t id) {
    bpf_xdp_query_opts attached = query(interface.index);
    // A plain "xdp off" looks at one mode alone, and finds nothing in the other.
    std::string off = id == attached.skb_prog_id ? " xdpgeneric off" : " xdpdrv off";
    if (id == attached.hw_prog_id) off = " xdpoffload off";
    bpf_prog_info info{};
    __u32 size = sizeof info;
    Descriptor program(bpf_prog_get_fd_by_id(id));
    if (program) bpf_obj_get_info_by_fd(program.get(), &info, &size);
    std::string name = program ? info.name : "unknown";
    const bool ours = program ? name == "nlbd_xdp" : has_tc_filter(interface.index);
    std::string what = "attach xdp to " + interface.name + ": occupied by XDP program '" + name +
                       "' (id " + std::to_string(id) + "): ";
    if (ours)
        throw Occupied(what + "another nlbd runs on this interface, or was killed: stop it, "
                              "or start it again with its own run dir to take it over");
    throw std::runtime_error(what + "stop what attached it, or `ip link set dev " + interface.name +
                             off + "`, or name another interface");
}

// A predecessor's link, still attached to this very interface.
bool hangs_on(const Interface &interface, int link) {
    bpf_link_info info{};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(link, &info, &size) != 0 || info.type != BPF_LINK_TYPE_XDP)
        return false;
    return static_cast<int>(info.xdp.ifindex) == interface.index &&
           attached_mode(interface.index, info.prog_id) != Mode::none;
}

std::uint32_t linked_program(int link) {
    bpf_link_info info{};
    __u32 size = sizeof info;
    return bpf_obj_get_info_by_fd(link, &info, &size) == 0 ? info.prog_id : 0;
}

bool will_do(XdpMode wanted, Mode attached, const Interface &interface) {
    if (wanted == XdpMode::best) return driver_of(interface.name) != "veth" || attached == Mode::generic;
    return attached == (wanted == XdpMode::native ? Mode::native : Mode::generic);
}

int create_link(const Interface &interface, int program, std::uint32_t flags) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
    return bpf_link_create(program, interface.index, BPF_XDP, &options);
}

Descriptor make_link(const Interface &interface, XdpMode mode, int program,
                  std::vector<StepDown> *steps_down) {
    int fd = -EOPNOTSUPP;
    bool try_native =
        mode == XdpMode::native || (mode == XdpMode::best && driver_of(interface.name) != "veth");
    if (try_native) fd = create_link(interface, program, XDP_FLAGS_DRV_MODE);
    bool lost_race = fd == -EBUSY || fd == -EEXIST;
    if (fd < 0 && try_native && mode == XdpMode::best && !lost_race && steps_down)
        steps_down->push_back({"native xdp on " + interface.name + ": " + describe(-fd),
                               fd == -EOPNOTSUPP});
    if (fd < 0 && mode != XdpMode::native && !lost_race)
        fd = create_link(interface, program, XDP_FLAGS_SKB_MODE);
    if (fd >= 0) return Descriptor(fd);
    std::string way_out;
    if (fd == -EPERM)
        way_out = "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN";
    else if (mode == XdpMode::native)
        way_out = "the driver cannot: datapath = \"xdp\" chooses what it can";
    fail("attach xdp to " + interface.name, -fd, way_out);
}

} // namespace

Pins::Pins(std::string directory) : directory_(std::move(directory)) {
    bool made = mkdir(directory_.c_str(), 0700) == 0;
    if (!made && errno != EEXIST)
        fail("make " + directory_, errno,
             "`mount -t bpf bpf " + directory_ + "` makes it possible");
    if (!is_bpffs(directory_)) {
        if (made) rmdir(directory_.c_str());
        throw std::runtime_error("pin BPF objects in " + directory_ +
                                 ": not a bpffs: `mount -t bpf bpf " + directory_ + "`");
    }
}

Pins::~Pins() {
    for (const char *name : kPinNames)
        if (ours_) unlink((directory_ + "/" + name).c_str());
    rmdir(directory_.c_str()); // stays when it is a mount point, or holds something
}

Descriptor Pins::open(const std::string &name) const {
    return Descriptor(bpf_obj_get((directory_ + "/" + name).c_str()));
}

void Pins::put(const std::string &name, int fd) {
    take_over();
    std::string path = directory_ + "/" + name, fresh = path + "_new";
    unlink(fresh.c_str());
    if (int error = bpf_obj_pin(fd, fresh.c_str()); error != 0) fail("pin " + path, -error);
    if (rename(fresh.c_str(), path.c_str()) != 0) {
        int error = errno;
        unlink(fresh.c_str());
        fail("pin " + path, error);
    }
}

bool Pins::has(const std::string &name) const {
    return access((directory_ + "/" + name).c_str(), F_OK) == 0;
}

TcFilter::TcFilter(const Interface &interface, int program, bool hook_is_ours)
    : interface_(interface), program_(program), hook_is_ours_(hook_is_ours) {
    attach();
}

void TcFilter::attach() {
    bpf_tc_hook hook = tc_hook(interface_.index, BPF_TC_INGRESS);
    int made = bpf_tc_hook_create(&hook);
    if (made != 0 && made != -EEXIST) fail("make a tc hook on " + interface_.name, -made);
    place_ = kTcFirst;
    int error = put_tc_filter(hook, program_, place_);
    if (error == 0)
        take_tc_filter(hook, kTcBehind);
    else
        error = put_tc_filter(hook, program_, place_ = kTcBehind);
    if (error != 0) {
        bpf_tc_hook both =
            tc_hook(interface_.index, bpf_tc_attach_point(BPF_TC_INGRESS | BPF_TC_EGRESS));
        if (made == 0) bpf_tc_hook_destroy(&both);
        fail("attach tc filter to " + interface_.name, -error);
    }
    hook_is_ours_ = hook_is_ours_ || made == 0;
}

// Without the filter, the hook or the interface the kernel gives one of three errors.
bool TcFilter::is_attached() const {
    bpf_tc_hook hook = tc_hook(interface_.index, BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = kTcHandle, .priority = place_);
    const int error = bpf_tc_query(&hook, &options);
    if (error == -ENOENT || error == -EINVAL || error == -ENODEV) return false;
    if (error != 0) fail("ask which tc filter is attached", -error);
    return options.prog_id == program_id(program_);
}

TcFilter::~TcFilter() {
    if (!kept_) remove_tc_filter(interface_.index, hook_is_ours_);
}

void remove_tc_filter(int interface_index, bool hook_is_ours) {
    bpf_tc_hook hook = tc_hook(interface_index, BPF_TC_INGRESS);
    for (const std::uint32_t place : kTcPlaces)
        take_tc_filter(hook, place);
    hook = tc_hook(interface_index, bpf_tc_attach_point(BPF_TC_INGRESS | BPF_TC_EGRESS));
    if (hook_is_ours && !in_use(interface_index)) bpf_tc_hook_destroy(&hook);
}

Link::Link(const Interface &interface, XdpMode mode, int program, Descriptor pinned,
                 std::vector<StepDown> *steps_down)
    : interface_(interface), mode_(mode), program_(program) {
    if (pinned && hangs_on(interface, pinned.get())) {
        if (will_do(mode, attached_mode(interface.index, linked_program(pinned.get())),
                    interface) &&
            bpf_link_update(pinned.get(), program, nullptr) == 0) {
            link_ = std::move(pinned);
            return;
        }
        bpf_link_detach(pinned.get()); // the tc filter keeps the node silent until the next line
    } else if (std::uint32_t id = attached_program(query(interface.index)); id != 0) {
        fail_occupied(interface, id);
    }
    link_ = make_link(interface, mode, program, steps_down);
}

bool Link::is_attached() const {
    return attached_mode(interface_.index, program_id(program_)) != Mode::none;
}

void Link::attach_again() {
    if (std::uint32_t id = attached_program(query(interface_.index)); id != 0)
        fail_occupied(interface_, id);
    link_ = make_link(interface_, mode_, program_, nullptr);
}

Link::~Link() {
    if (!kept_) detach_link(link_);
}

void detach_link(const Descriptor &link) { bpf_link_detach(link.get()); }

Mode attached_mode(int interface_index, std::uint32_t program_id) {
    bpf_xdp_query_opts attached = query(interface_index);
    if (program_id == 0) return Mode::none;
    if (attached.drv_prog_id == program_id || attached.hw_prog_id == program_id)
        return Mode::native;
    if (attached.skb_prog_id == program_id) return Mode::generic;
    if (attached.prog_id == program_id)
        return attached.attach_mode == XDP_ATTACHED_SKB ? Mode::generic : Mode::native;
    return Mode::none;
}

std::uint32_t program_id(int program_fd) {
    bpf_prog_info info{};
    __u32 size = sizeof info;
    if (int error = bpf_obj_get_info_by_fd(program_fd, &info, &size); error != 0)
        fail("ask for the program's id", -error);
    return info.id;
}

bpf_map_info about_map(int map) {
    bpf_map_info info{};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(map, &info, &size) != 0) return {};
    return info;
}

std::vector<std::uint32_t> map_ids(int program_fd) {
    std::vector<std::uint32_t> ids(64);
    bpf_prog_info info{};
    __u32 size = sizeof info;
    info.nr_map_ids = static_cast<__u32>(ids.size());
    info.map_ids = reinterpret_cast<__u64>(ids.data());
    if (bpf_obj_get_info_by_fd(program_fd, &info, &size) != 0) return {};
    ids.resize(std::min<std::size_t>(info.nr_map_ids, ids.size()));
    return ids;
}

} // namespace filter::xdp
