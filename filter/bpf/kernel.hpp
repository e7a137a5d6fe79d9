// SPDX-License-Identifier: Apache-2.0
// What the kernel says about BPF objects.
#pragma once

#include "filter/descriptor.hpp"

#include <cstdint>
#include <linux/bpf.h>
#include <string>
#include <vector>

namespace filter::bpf {

std::uint32_t program_id(int program_fd);
bpf_map_info about_map(int map); // zeros when the kernel does not say
// Of the maps that a program looks into, as the kernel has loaded it. Empty when it does not say.
std::vector<std::uint32_t> map_ids(int program_fd);
bpf_link_info about_link(int link); // likewise
void detach_link(const Descriptor &link);
bool has_xdp(int interface_index); // of any owner
// Why this process cannot load programs for tc; empty: it can.
std::string why_no_programs();
void keep_libbpf_quiet(); // errors are thrown, in one line

} // namespace filter::bpf
