// SPDX-License-Identifier: Apache-2.0
//
// nlbd_forward on an interface: in front of the tc datapath that sends packets on, it does the most frequent
// part of that work in the driver, with the same tables. Without it tc does all of it.
#pragma once

#include "filter/bpf/programs.hpp"
#include "filter/descriptor.hpp"
#include "filter/interface.hpp"
#include "filter/xdp/attach.hpp"

#include <functional>
#include <memory>

struct forward_bpf;

namespace filter::xdp {

class Front {
  public:
    // Native alone: the generic one would send a copy, at a higher price than tc's. programs: those of tc, loaded
    // to send packets on. pinned: a predecessor's link, is taken over. Throws, with the way out; Lacking when the
    // driver has no XDP.
    Front(const Interface &interface, const bpf::Programs &programs, Descriptor pinned);
    Front(const Front &) = delete;

    int link() const { return link_.fd(); }
    std::function<bool()> is_in_place() const; // for any thread; as Datapath::look()
    void attach_again();                       // throws, and is not attached then
    void keep() { link_.keep(); }

  private:
    struct Destroy {
        void operator()(forward_bpf *loaded) const;
    };
    static std::unique_ptr<forward_bpf, Destroy> load(const Interface &interface, const bpf::Programs &programs);
    int program() const;

    Interface interface_;
    std::unique_ptr<forward_bpf, Destroy> loaded_;
    Link link_;
};

} // namespace filter::xdp
