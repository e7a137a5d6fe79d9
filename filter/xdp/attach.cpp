// SPDX-License-Identifier: Apache-2.0
#include "filter/xdp/attach.hpp"

#include "filter/bpf/kernel.hpp"
#include "filter/bpf/tc_filter.hpp"
#include "filter/failure.hpp"
#include "filter/xdp/xdp.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstring>
#include <linux/if_link.h>
#include <stdexcept>

namespace filter::xdp {

using bpf::program_id;

namespace {

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
    const bool ours = program ? name == "nlbd_xdp" : bpf::has_tc_filter(interface.index, bpf::TcRole::second_lock);
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
    const bpf_link_info info = bpf::about_link(link);
    if (info.type != BPF_LINK_TYPE_XDP) return false;
    return static_cast<int>(info.xdp.ifindex) == interface.index &&
           attached_mode(interface.index, info.prog_id) != Mode::none;
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
    else if (fd == -EOPNOTSUPP && mode == XdpMode::native)
        throw Lacking("attach xdp to " + interface.name + ": " + describe(-fd) +
                      "; the driver cannot: datapath = \"auto\" chooses what it can");
    fail("attach xdp to " + interface.name, -fd, way_out);
}

} // namespace

Link::Link(const Interface &interface, XdpMode mode, int program, Descriptor pinned,
                 std::vector<StepDown> *steps_down)
    : interface_(interface), mode_(mode), program_(program) {
    if (pinned && hangs_on(interface, pinned.get())) {
        if (will_do(mode, attached_mode(interface.index, bpf::about_link(pinned.get()).prog_id),
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

void Link::attach_again() {
    if (std::uint32_t id = attached_program(query(interface_.index)); id != 0)
        fail_occupied(interface_, id);
    link_ = make_link(interface_, mode_, program_, nullptr);
}

void Link::detach() { bpf::detach_link(link_); }

Link::~Link() {
    if (!kept_) detach();
}

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

} // namespace filter::xdp
