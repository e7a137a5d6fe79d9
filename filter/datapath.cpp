// SPDX-License-Identifier: Apache-2.0
#include "filter/datapath.hpp"

namespace filter {

std::string_view to_string(Mode mode) {
    switch (mode) {
    case Mode::none:
        return "none";
    case Mode::native:
        return "native";
    case Mode::generic:
        return "generic";
    case Mode::clsact:
        return "clsact";
    case Mode::tcx:
        return "tcx";
    case Mode::tap:
        return "tap";
    }
    return "none";
}

} // namespace filter
