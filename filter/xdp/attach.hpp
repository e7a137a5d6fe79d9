// SPDX-License-Identifier: Apache-2.0
//
// What an XDP datapath leaves in the kernel, each piece with a destructor that takes it away again:
// pins in a bpffs, a filter on the interface's tc hook, the XDP link. All three outlive a process
// that is killed, so each also knows how to take over what it finds.
//
// The XDP program is attached by a link, because a link can be pinned and its program can be
// exchanged without a packet passing in between. tc has no such link in the kernels and the libbpf
// that we build for (tcx came later); there a filter is replaced under a fixed handle, which is
// just as seamless.
#pragma once

#include "filter/datapath.hpp"
#include "filter/descriptor.hpp"
#include "filter/failure.hpp"
#include "filter/interface.hpp"

#include <linux/bpf.h>

namespace filter::xdp {

// What frames are shown by (verdict/capture_record.h), for capture().
inline constexpr const char *kShownPin = "shown";
inline constexpr const char *kShownCountsPin = "shown_counts";

// Names under one directory of a bpffs. A predecessor's stay, until something is put in their place
// or they are taken over: a start that fails leaves what keeps the node silent, and what the next
// one needs to remove it.
class Pins {
  public:
    // Makes the directory when its parent is a bpffs. Throws when it is not on one.
    explicit Pins(std::string directory);
    Pins(const Pins &) = delete;
    ~Pins();

    Descriptor open(const std::string &name) const; // empty when there is none
    void put(const std::string &name, int fd);      // in place of what was there
    bool has(const std::string &name) const;
    void take_over() { ours_ = true; }              // all go in the end
    void keep() { ours_ = false; }

  private:
    std::string directory_;
    bool ours_ = false;
};

// nlbd_tc on the interface's ingress.
class TcFilter {
  public:
    // hook_is_ours: a predecessor made the hook, so it is ours to remove.
    TcFilter(const Interface &interface, int program, bool hook_is_ours);
    TcFilter(const TcFilter &) = delete;
    ~TcFilter();

    bool hook_is_ours() const { return hook_is_ours_; }
    bool is_attached() const; // throws when the kernel does not say
    void attach();            // also in place of whatever has taken its place; throws
    void keep() { kept_ = true; }

  private:
    Interface interface_;
    int program_;
    bool hook_is_ours_;
    std::uint32_t place_ = 0; // on the hook
    bool kept_ = false;
};

// nlbd_xdp on the interface. Detached at once in the end: the kernel would, but some time after the
// last pin.
class Link {
  public:
    // Takes `pinned` over when it is a link to this interface in a mode that will do.
    // steps_down: gets why it is not attached in the mode that was tried first.
    Link(const Interface &interface, XdpMode mode, int program, Descriptor pinned,
            std::vector<StepDown> *steps_down);
    Link(const Link &) = delete;
    ~Link();

    int fd() const { return link_.get(); }
    bool is_attached() const; // throws when the kernel does not say
    void attach_again();      // when somebody has detached it; throws
    void keep() { kept_ = true; }

  private:
    Interface interface_;
    XdpMode mode_;
    int program_;
    Descriptor link_;
    bool kept_ = false;
};

// What a process that was killed has left.
void detach_link(const Descriptor &link);
void remove_tc_filter(int interface_index, bool hook_is_ours);

// How the program with this id is attached to the interface, as the kernel says now.
Mode attached_mode(int interface_index, std::uint32_t program_id);
std::uint32_t program_id(int program_fd);
bpf_map_info about_map(int map); // zeros when the kernel does not say
// Of the maps that a program looks into, as the kernel has loaded it. Empty when it does not say.
std::vector<std::uint32_t> map_ids(int program_fd);

} // namespace filter::xdp
