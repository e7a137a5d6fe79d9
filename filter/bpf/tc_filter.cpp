// SPDX-License-Identifier: Apache-2.0
#include "filter/bpf/tc_filter.hpp"

#include "filter/bpf/kernel.hpp"
#include "filter/failure.hpp"

#include <algorithm>
#include <bpf/libbpf.h>
#include <cerrno>
#include <linux/pkt_sched.h>
#include <memory>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>

namespace filter::bpf {

namespace {

// The first place, because any filter may accept a frame and so end the walk. The second one is for an interface where a
// filter of another kind has the first, and for what former releases have left.
constexpr std::uint32_t kTcFirst = 1, kTcBehind = 7777;
constexpr std::uint32_t kTcPlaces[] = {kTcFirst, kTcBehind};

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

int put_tc_filter(bpf_tc_hook &hook, TcRole role, int program, std::uint32_t place) {
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE,
                .handle = static_cast<std::uint32_t>(role), .priority = place);
    return bpf_tc_attach(&hook, &options);
}

void take_tc_filter(bpf_tc_hook &hook, TcRole role, std::uint32_t place) {
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = static_cast<std::uint32_t>(role), .priority = place);
    bpf_tc_detach(&hook, &options);
}

} // namespace

bool has_tc_filter(int interface_index, TcRole role) {
    return std::ranges::any_of(kTcPlaces, [=](std::uint32_t place) {
        bpf_tc_hook hook = tc_hook(interface_index, BPF_TC_INGRESS);
        LIBBPF_OPTS(bpf_tc_opts, options, .handle = static_cast<std::uint32_t>(role), .priority = place);
        return bpf_tc_query(&hook, &options) == 0;
    });
}

TcFilter::TcFilter(const Interface &interface, TcRole role, int program, bool hook_is_ours)
    : interface_(interface), role_(role), program_(program), hook_is_ours_(hook_is_ours) {
    attach();
}

void TcFilter::attach() {
    bpf_tc_hook hook = tc_hook(interface_.index, BPF_TC_INGRESS);
    int made = bpf_tc_hook_create(&hook);
    if (made != 0 && made != -EEXIST) fail("make a tc hook on " + interface_.name, -made);
    place_ = kTcFirst;
    int error = put_tc_filter(hook, role_, program_, place_);
    if (error == 0)
        take_tc_filter(hook, role_, kTcBehind);
    else
        error = put_tc_filter(hook, role_, program_, place_ = kTcBehind);
    if (error != 0) {
        bpf_tc_hook both =
            tc_hook(interface_.index, bpf_tc_attach_point(BPF_TC_INGRESS | BPF_TC_EGRESS));
        if (made == 0) bpf_tc_hook_destroy(&both);
        fail("attach tc filter to " + interface_.name, -error);
    }
    hook_is_ours_ = hook_is_ours_ || made == 0;
}

// Without the filter, the hook or the interface the kernel gives one of three errors.
std::function<bool()> TcFilter::is_attached() const {
    return [index = interface_.index, role = role_, place = place_, program = program_id(program_)] {
        bpf_tc_hook hook = tc_hook(index, BPF_TC_INGRESS);
        LIBBPF_OPTS(bpf_tc_opts, options, .handle = static_cast<std::uint32_t>(role), .priority = place);
        const int error = bpf_tc_query(&hook, &options);
        if (error == -ENOENT || error == -EINVAL || error == -ENODEV) return false;
        if (error != 0) fail("ask which tc filter is attached", -error);
        return options.prog_id == program;
    };
}

TcFilter::~TcFilter() {
    if (!kept_) remove_tc_filter(interface_.index, role_, hook_is_ours_);
}

void remove_tc_filter(int interface_index, TcRole role, bool hook_is_ours) {
    bpf_tc_hook hook = tc_hook(interface_index, BPF_TC_INGRESS);
    for (const std::uint32_t place : kTcPlaces)
        take_tc_filter(hook, role, place);
    hook = tc_hook(interface_index, bpf_tc_attach_point(BPF_TC_INGRESS | BPF_TC_EGRESS));
    if (hook_is_ours && !in_use(interface_index)) bpf_tc_hook_destroy(&hook);
}

} // namespace filter::bpf
