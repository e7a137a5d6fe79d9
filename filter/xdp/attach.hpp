// SPDX-License-Identifier: Apache-2.0
//
// A program of XDP on an interface. It is attached by a link, because a link can be pinned and its program
// can be exchanged without a packet passing in between.
#pragma once

#include "filter/datapath.hpp"
#include "filter/descriptor.hpp"
#include "filter/interface.hpp"

#include <cstdint>
#include <vector>

namespace filter::xdp {

// Detached at once in the end: the kernel would, but some time after the
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
    void attach_again();      // when it was detached from outside; throws
    void detach();
    void keep() { kept_ = true; }

  private:
    Interface interface_;
    XdpMode mode_;
    int program_;
    Descriptor link_;
    bool kept_ = false;
};

// How the program with this id is attached to the interface, as the kernel says now.
Mode attached_mode(int interface_index, std::uint32_t program_id);

} // namespace filter::xdp
