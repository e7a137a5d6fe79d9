// SPDX-License-Identifier: Apache-2.0
//
//     nlb_filter_bench drops|capacity|verdicts|views REPEATS         prints the numbers as JSON
//     nlb_filter_bench flood INTERFACE PORT PER_SECOND SECONDS       prints how many it has sent
//
// As root. The first makes namespaces of its own; the second stays where it is and reads sources
// from standard input.
#include "parts.hpp"

#include "host.hpp"

#include <iostream>
#include <iterator>
#include <map>

namespace {

using Words = std::vector<std::string>;
using Part = nlohmann::json (*)(unsigned repeats);

const std::map<std::string, Part> kParts = {{"capacity", bench::measure_capacity},
                                            {"drops", bench::measure_drops},
                                            {"verdicts", bench::measure_verdicts},
                                            {"views", bench::measure_views}};

struct InHost {
    InHost() { Host::enter(); }
    ~InHost() { Host::leave(); }
    InHost(const InHost &) = delete;
};

void measure(Part part, const std::string &repeats) {
    InHost inside;
    std::cout << part(static_cast<unsigned>(std::stoul(repeats))) << "\n";
}

void flood(const Words &words) {
    const Words sources{std::istream_iterator<std::string>(std::cin), {}};
    const auto port = static_cast<std::uint16_t>(std::stoul(words[2]));
    std::cout << bench::send_flood({words[1], port, std::stod(words[3]), std::stod(words[4])},
                                   sources)
              << "\n";
}

bool run(const Words &words) {
    const auto part = kParts.find(words.empty() ? "" : words[0]);
    if (part != kParts.end() && words.size() == 2)
        measure(part->second, words[1]);
    else if (words.size() == 5 && words[0] == "flood")
        flood(words);
    else
        return false;
    return true;
}

} // namespace

int main(int argc, char **argv) {
    try {
        if (run(Words(argv + 1, argv + argc))) return 0;
    } catch (const std::exception &error) {
        std::cerr << "nlb_filter_bench: " << error.what() << "\n";
        return 1;
    }
    std::cerr << "usage: nlb_filter_bench drops|capacity|verdicts|views REPEATS\n"
                 "       nlb_filter_bench flood INTERFACE PORT PER_SECOND SECONDS <SOURCES\n";
    return 2;
}
