// SPDX-License-Identifier: Apache-2.0
//
// Every input of a corpus once through its target, whatever compiler built it: what a fuzzer found
// in its hour stays found. `fuzz_TARGET DIRECTORY|FILE...`
#include "target.hpp"

#include <csignal>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path &path) {
    if (!fs::is_directory(path)) return {path};
    std::vector<fs::path> files;
    for (const auto &entry : fs::directory_iterator(path))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

fs::path running; // the input that is to blame when the process ends here

void blame(int) {
    std::cerr << "input: " << running << std::endl;
    std::_Exit(1);
}

void replay(const fs::path &path) {
    running = path;
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size());
}

} // namespace

int main(int argc, char **argv) {
    std::signal(SIGABRT, blame);
    std::size_t count = 0;
    try {
        for (int i = 1; i < argc; ++i)
            for (const fs::path &path : files_of(argv[i])) {
                replay(path);
                ++count;
            }
    } catch (const std::exception &error) {
        std::cerr << running << ": " << error.what() << "\n";
        return 1;
    }
    std::cout << count << " inputs\n";
    return count > 0 ? 0 : 1;
}
