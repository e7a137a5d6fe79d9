// SPDX-License-Identifier: Apache-2.0
// nlb_filter_bench drops|verdicts|views REPEATS: prints the numbers as JSON. As root.
#include "parts.hpp"

#include "host.hpp"

#include <iostream>
#include <map>

namespace {

using Part = nlohmann::json (*)(unsigned repeats);

const std::map<std::string, Part> kParts = {{"drops", bench::measure_drops},
                                            {"verdicts", bench::measure_verdicts},
                                            {"views", bench::measure_views}};

int run(Part part, unsigned repeats) {
    Host::enter();
    int code = 0;
    try {
        std::cout << part(repeats) << "\n";
    } catch (const std::exception &error) {
        std::cerr << "nlb_filter_bench: " << error.what() << "\n";
        code = 1;
    }
    Host::leave();
    return code;
}

} // namespace

int main(int argc, char **argv) {
    const auto part = kParts.find(argc == 3 ? argv[1] : "");
    if (part == kParts.end()) {
        std::cerr << "usage: nlb_filter_bench drops|verdicts|views REPEATS\n";
        return 2;
    }
    return run(part->second, static_cast<unsigned>(std::stoul(argv[2])));
}
