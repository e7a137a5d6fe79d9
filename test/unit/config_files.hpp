// SPDX-License-Identifier: Apache-2.0
// Where the tests of the configuration find their files, and how they look at a refusal.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

inline std::filesystem::path source_dir() {
    const char *dir = std::getenv("NLBD_SOURCE_DIR");
    if (!dir) throw std::runtime_error("set NLBD_SOURCE_DIR to the root of the sources");
    return dir;
}

inline std::filesystem::path golden_configs() { return source_dir() / "test/golden/config"; }

inline std::string read_whole(const std::filesystem::path &file) {
    std::ifstream input(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(input), {}};
}

// What the action throws as a std::runtime_error; empty when it throws nothing.
template <class Action>
std::string message_of(Action action) {
    try {
        action();
    } catch (const std::runtime_error &error) {
        return error.what();
    }
    return "";
}
