// SPDX-License-Identifier: Apache-2.0
//
// A configuration file: refused in one line, or read, printed, and read again to the same thing. So
// does `nlbctl check`, which gets the text as a file.
#include "target.hpp"

#include "agent/base/exit.hpp"
#include "agent/config/config.hpp"
#include "agent/nlbctl/nlbctl.hpp"
#include "agent/nlbctl/push.hpp"
#include "agent/orders/changes.hpp"
#include "agent/orders/settings.hpp"

#include "filter/tables.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <sstream>

namespace {

using namespace agent;

// A file that is only in memory.
class File {
  public:
    explicit File(const std::string &text) : fd_(memfd_create("configuration", MFD_CLOEXEC)) {
        fuzz::expect(write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
                     "a file in memory");
    }
    File(const File &) = delete;
    ~File() { close(fd_); }
    std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  private:
    int fd_;
};

bool is_one_line(const std::string &text) {
    return std::none_of(text.begin(), text.end(),
                        [](unsigned char c) { return c < ' ' || c == 127; });
}

void check_refused(const std::string &file, const std::string &why) {
    std::ostringstream out, err;
    fuzz::expect(why.starts_with(file + ":") && is_one_line(why), "one line, with the place");
    fuzz::expect(run_nlbctl({"check", file}, out, err) == kFailed, "check refuses it too");
    fuzz::expect(out.str().empty() && !err.str().empty(), "and says why");
}

void check_read(const std::string &file, const Config &config) {
    const std::string printed = to_toml(config);
    Config again = parse_config(printed, file);
    fuzz::expect(again == config, "what is printed reads the same");
    fuzz::expect(to_toml(again) == printed, "and prints the same");
    std::ostringstream out, err;
    fuzz::expect(run_nlbctl({"check", file}, out, err) == kDone, "check accepts it too");
    fuzz::expect(out.str() == printed, "and prints it");
}

// What the rest of the agent makes of it at start.
void use(const Config &config) {
    section_digests(config);
    cluster_mac(config);
    cluster_group(config);
    ownership_rules(config);
    for (const NodeConfig &node : config.nodes) {
        membership_settings(config, node, {});
        heartbeat_interfaces(config, node);
    }
    const auto same = [&](const auto &changes) { fuzz::expect(changes.empty(), "no change"); };
    same(refused_changes(config, config));
    same(difference(to_toml(config), to_toml(config)));
    same(waits_for_restart(started_with(config, config.nodes[0]), config, config.nodes[0]));
    const auto tables = std::make_unique<nlb_config>();
    filter::write_config(filter_settings(config, {}), *tables);
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const File file(std::string(data, data + size));
    Config config;
    try {
        config = load_config(file.path());
    } catch (const std::runtime_error &why) {
        check_refused(file.path(), why.what());
        return 0;
    }
    check_read(file.path(), config);
    use(config);
    return 0;
}
