// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace agent_test {

struct TemporaryDirectory {
    TemporaryDirectory() {
        char name[] = "/tmp/nlbd-unit-XXXXXX";
        path = mkdtemp(name);
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path); }
    std::string path;
};

} // namespace agent_test
