// SPDX-License-Identifier: Apache-2.0
#include "filter/pcap/packet_tables.hpp"

#include "filter/descriptor.hpp"
#include "filter/failure.hpp"
#include "filter/pcap/viewer.hpp"
#include "filter/state_datapath.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace filter::pcap {

namespace {

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

std::string file_in(const std::string &directory) { return directory + "/state"; }

// 0 where the kernel has none (before 5.14): then any will do.
std::uint64_t this_network() {
    const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(any.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

// Null when the file is not there or has another size.
PacketMemory *map(const std::string &file) {
    const Descriptor found(open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    struct stat about {};
    if (!found || fstat(found.get(), &about) != 0 || about.st_size != sizeof(PacketMemory))
        return nullptr;
    void *memory = mmap(nullptr, sizeof(PacketMemory), PROT_READ | PROT_WRITE, MAP_SHARED,
                        found.get(), 0);
    return memory == MAP_FAILED ? nullptr : static_cast<PacketMemory *>(memory);
}

bool has_this_layout(const PacketMemory &memory) {
    return memory.state.layout == NLB_LAYOUT && memory.state.size == sizeof(nlb_state);
}

bool fits(const PacketMemory &memory, const Interface &interface, const nlb_config &config) {
    return has_this_layout(memory) &&
           memory.state.interface_index == static_cast<__u32>(interface.index) &&
           memory.network == this_network() && same(active_config(memory.state), config);
}

// Whole before it has its name.
PacketMemory *make(const std::string &file, const Interface &interface, const nlb_config &config) {
    const std::string fresh = file + "_new";
    unlink(fresh.c_str());
    const Descriptor made(open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made || ftruncate(made.get(), sizeof(PacketMemory)) != 0) fail("make " + fresh, errno);
    PacketMemory *memory = map(fresh);
    if (!memory) fail("map " + fresh, errno);
    memory->state.layout = NLB_LAYOUT;
    memory->state.size = sizeof(nlb_state);
    memory->state.interface_index = static_cast<__u32>(interface.index);
    memory->state.config[0] = config;
    memory->network = this_network();
    if (rename(fresh.c_str(), file.c_str()) != 0) fail("make " + file, errno);
    return memory;
}

} // namespace

PacketTables::PacketTables(const std::string &directory, const Interface &interface,
                           const nlb_config &config)
    : directory_(directory), memory_(map(file_in(directory))),
      ours_(!has_packet_tables(directory)) {
    adopted_ = memory_ && fits(*memory_, interface, config);
    if (adopted_) return;
    if (memory_) munmap(memory_, sizeof *memory_);
    memory_ = make(file_in(directory), interface, config);
}

PacketTables::~PacketTables() {
    munmap(memory_, sizeof *memory_);
    if (ours_) remove_packet_tables(directory_);
}

FoundPacketTables::FoundPacketTables(const std::string &directory)
    : memory_(map(file_in(directory))) {
    if (memory_ && has_this_layout(*memory_)) return;
    if (memory_) munmap(memory_, sizeof *memory_);
    throw std::runtime_error("open " + file_in(directory) +
                             ": not this version's: run as root, or restart the agent");
}

FoundPacketTables::~FoundPacketTables() { munmap(memory_, sizeof *memory_); }

bool has_packet_tables(const std::string &directory) {
    return access(file_in(directory).c_str(), F_OK) == 0;
}

void remove_packet_tables(const std::string &directory) {
    unlink(file_in(directory).c_str());
    unlink(viewer_path(directory).c_str()); // of one that was killed
}

} // namespace filter::pcap
