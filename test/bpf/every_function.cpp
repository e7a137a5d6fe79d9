// SPDX-License-Identifier: Apache-2.0
// What this kernel would not look at, and an earlier one refuses.
#include "host.hpp"

#include "filter/bpf/pins.hpp"
#include "filter/bpf/programs.hpp"
#include "filter/interface.hpp"

#include <boost/test/unit_test.hpp>

#include "test/bpf/every_function.skel.h"

using namespace filter;

BOOST_AUTO_TEST_CASE(functions_that_nothing_calls_are_verified_with_the_maps_of_either_delivery) {
    for (const bool forward : {false, true}) {
        Settings with = settings();
        with.forward = forward;
        auto object = bpf::object_of<every_function_bpf>(
            every_function_bpf::open(),
            [](const every_function_bpf &opened) { return std::vector{opened.progs.nlbd_ingress}; });
        const bpf::Pins pins(Host::pin_dir("every_function"));
        BOOST_CHECK_NO_THROW(bpf::Programs(std::move(object), with, require_interface("near"), pins));
    }
}
