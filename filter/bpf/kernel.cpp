// SPDX-License-Identifier: Apache-2.0
#include "filter/bpf/kernel.hpp"

#include "filter/failure.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cstring>

namespace filter::bpf {

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

bpf_link_info about_link(int link) {
    bpf_link_info info{};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(link, &info, &size) != 0) return {};
    return info;
}

void detach_link(const Descriptor &link) { bpf_link_detach(link.get()); }

bool has_xdp(int interface_index) {
    __u32 id = 0;
    return bpf_xdp_query_id(interface_index, 0, &id) == 0 && id != 0;
}

std::string why_no_programs() {
    const int found = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, nullptr);
    if (found == 1) return {};
    return found == 0 ? "the kernel does not know them" : std::strerror(-found);
}

void keep_libbpf_quiet() {
    libbpf_set_print([](libbpf_print_level, const char *, va_list) { return 0; });
}

} // namespace filter::bpf
