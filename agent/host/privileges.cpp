// SPDX-License-Identifier: Apache-2.0
// Directories are walked by descriptor, and no link is followed, also not on the way to them: what is
// there may have been put there by the other user, or by a third one who owns a directory above, and
// root must not give away what it points at.
#include "agent/host/privileges.hpp"

#include "agent/base/failure.hpp"
#include "agent/host/user.hpp"
#include "filter/descriptor.hpp"

#include <cap-ng.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace agent {
namespace {

using filter::Descriptor;

const std::vector<int> kAgents = {CAP_NET_ADMIN, CAP_NET_RAW,  CAP_NET_BIND_SERVICE, CAP_BPF,
                                  CAP_PERFMON,   CAP_SYS_NICE, CAP_IPC_LOCK};

Descriptor open_directory(int parent, const char *name) {
    return Descriptor(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Whether it was given shows in the end, at the directory itself.
void ignore([[maybe_unused]] int result) {}

void give(int directory, const User &account);

// What has other names elsewhere is not given away. Opened first: the name may stand for something
// else the next moment.
void give_entry(int directory, const char *name, const User &account) {
    const Descriptor entry(openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat about {};
    if (fstat(entry.get(), &about) != 0) return;
    if (S_ISDIR(about.st_mode)) {
        if (const Descriptor inner = open_directory(directory, name)) give(inner.get(), account);
    } else if (about.st_nlink == 1) {
        ignore(fchownat(entry.get(), "", account.user, account.group, AT_EMPTY_PATH));
    }
}

void give(int directory, const User &account) {
    ignore(fchown(directory, account.user, account.group));
    struct Close {
        void operator()(DIR *stream) const { closedir(stream); }
    };
    const std::unique_ptr<DIR, Close> stream(fdopendir(dup(directory)));
    while (const dirent *entry = stream ? readdir(stream.get()) : nullptr)
        if (const std::string_view name = entry->d_name; name != "." && name != "..")
            give_entry(directory, entry->d_name, account);
}

// Step by step: the unit's RestrictSUIDSGID takes openat2(2) away.
Descriptor open_without_links(const std::filesystem::path &path) {
    constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    Descriptor at(open(path.is_absolute() ? "/" : ".", kDirectory));
    for (const auto &step : path.relative_path()) {
        if (!at) break;
        struct stat about {};
        const bool link = fstatat(at.get(), step.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0 &&
                          S_ISLNK(about.st_mode);
        at = Descriptor(openat(at.get(), step.c_str(), kDirectory));
        if (link) errno = ELOOP;
    }
    return at;
}

// Only root and the user can have put something else under a name in it.
bool is_theirs(const Descriptor &directory, const User &account) {
    struct stat about {};
    if (fstat(directory.get(), &about) != 0) return false;
    const bool others_rename =
        (about.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (about.st_mode & S_ISVTX) == 0;
    return (about.st_uid == 0 || about.st_uid == account.user) && !others_rename;
}

// Throws unless it can be opened and is theirs.
Descriptor open_theirs(const std::string &path, const User &account, const std::string &what) {
    Descriptor directory = open_without_links(path);
    if (!directory && errno == ENOENT) return directory;
    if (!directory && errno == ELOOP)
        throw std::runtime_error(what + ": " + path +
                                 " is, or is below, a symbolic link; name the directory itself");
    if (!directory) fail(what, "it must be a directory");
    if (!is_theirs(directory, account))
        throw std::runtime_error(what + ": others than root and that user may change " + path +
                                 "; choose another, or change its owner and mode");
    return directory;
}

void hand_over(const std::string &given, const User &account) {
    const std::string what = "give " + given + " to the agent's user";
    const auto path = std::filesystem::path(given + "/").lexically_normal().parent_path();
    const std::string above = path.has_parent_path() ? path.parent_path() : ".";
    const Descriptor parent = open_theirs(above, account, what);
    if (!parent) return; // below a directory of the user's: the agent makes it later, as that user
    mkdirat(parent.get(), path.filename().c_str(), 0755);
    const Descriptor directory = open_theirs(path, account, what);
    give(directory.get(), account);
    struct stat about {};
    if (fstat(directory.get(), &about) == 0 && about.st_uid == account.user) return;
    errno = EPERM;
    fail(what, "give it CAP_CHOWN, or leave out --user");
}

bool has(int capability) {
    return capng_have_capability(CAPNG_EFFECTIVE, static_cast<unsigned>(capability)) != 0;
}

// Of the capabilities those that it has.
void select(const std::vector<int> &kept) {
    std::vector<unsigned> had;
    for (const int capability : kept)
        if (has(capability)) had.push_back(static_cast<unsigned>(capability));
    capng_clear(CAPNG_SELECT_CAPS);
    for (const unsigned capability : had)
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                     capability);
}

void keep_and_become(const std::vector<int> &kept, const User &account, const std::string &what,
                     const std::string &way_out) {
    select(kept);
    if (capng_change_id(static_cast<int>(account.user), static_cast<int>(account.group),
                        CAPNG_DROP_SUPP_GRP) != 0)
        fail(what, way_out);
}

} // namespace

std::string become_user(const std::string &name, const std::vector<std::string> &directories) {
    const auto account = find_account(name);
    if (!account) throw std::runtime_error("become user " + name + ": there is none of that name");
    if (geteuid() != 0) return geteuid() == account->user ? "" : "it was not started as root";
    if (prctl(PR_CAPBSET_READ, CAP_BPF) < 0) return "this kernel has no CAP_BPF";
    if (capng_get_caps_process() != 0) return "its capabilities cannot be read";
    if (!has(CAP_SETUID) || !has(CAP_SETGID)) return "CAP_SETUID and CAP_SETGID are missing";
    for (const std::string &directory : directories)
        hand_over(directory, *account);
    const std::string what = "become user " + name;
    keep_and_become(kAgents, *account, what, "start it as root, or leave out --user");
    for (const std::string &directory : directories)
        if (faccessat(AT_FDCWD, directory.c_str(), X_OK, AT_EACCESS) != 0 && errno == EACCES)
            fail(what + ": enter " + directory, "let that user pass through the directories above it (chmod o+x)");
    return "";
}

void give_up(int capability) {
    if (geteuid() == 0 || capng_get_caps_process() != 0 || !has(capability)) return;
    capng_update(CAPNG_DROP, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                 static_cast<unsigned>(capability));
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) fail("give up a capability");
}

void keep_only(const std::vector<int> &kept) {
    if (capng_get_caps_process() != 0) fail("read the capabilities");
    select(kept);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) fail("give up capabilities");
}

void become_owner_of(const std::string &path, const std::vector<int> &kept) {
    struct stat about {};
    if (geteuid() != 0 || lstat(path.c_str(), &about) != 0 || about.st_uid == 0) return;
    const std::string what = "become the owner of " + path;
    if (capng_get_caps_process() != 0) fail(what);
    keep_and_become(kept, {about.st_uid, about.st_gid}, what, "give it CAP_SETUID and CAP_SETGID");
}

bool can_change_user() {
    return capng_get_caps_process() == 0 && has(CAP_SETUID) && has(CAP_SETGID);
}

} // namespace agent
