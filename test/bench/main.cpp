// SPDX-License-Identifier: Apache-2.0
// nlb_filter_bench drops|verdicts REPEATS: prints the numbers as JSON. As root.
#include "parts.hpp"

#include "host.hpp"

#include <iostream>

namespace {

int run(const std::string &part, unsigned repeats) {
    Host::enter();
    int code = 0;
    try {
        std::cout << (part == "drops" ? bench::measure_drops : bench::measure_verdicts)(repeats) << "\n";
    } catch (const std::exception &error) {
        std::cerr << "nlb_filter_bench: " << error.what() << "\n";
        code = 1;
    }
    Host::leave();
    return code;
}

} // namespace

int main(int argc, char **argv) {
    const std::string part = argc == 3 ? argv[1] : "";
    if (part != "drops" && part != "verdicts") {
        std::cerr << "usage: nlb_filter_bench drops|verdicts REPEATS\n";
        return 2;
    }
    return run(part, static_cast<unsigned>(std::stoul(argv[2])));
}
