// SPDX-License-Identifier: Apache-2.0
//
// What happens between fork and exec is restricted to what is safe in the child of a process with
// several threads: system calls. All that needs memory or the user database is prepared before.
#include "agent/health/exec.hpp"

#include "agent/base/failure.hpp"
#include "agent/base/printable.hpp"
#include "agent/host/privileges.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

constexpr std::size_t kKept = 1024;      // bytes of output
constexpr std::size_t kShown = 200;      // of its last line
constexpr int kCannotExec = 127;         // as of a shell
constexpr int kCannotPrepare = 125;

std::vector<char *> pointers(std::vector<std::string> &words) {
    std::vector<char *> result;
    for (std::string &word : words)
        result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

// In the child.
bool give_up_privileges(const User &account) {
    if (setgroups(0, nullptr) != 0 ||
        setresgid(account.group, account.group, account.group) != 0 ||
        setresuid(account.user, account.user, account.user) != 0)
        return false;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

[[noreturn]] void end(int code, const char *why) {
    [[maybe_unused]] const ssize_t told = write(1, why, std::strlen(why));
    _exit(code);
}

// In the child; does not return. The order matters: the agent's descriptors are closed before
// another is opened, for there may be no free one; signals only when nothing of the agent's is
// left; the parent's death after the change of user, which forgets it.
[[noreturn]] void become(char *const *command, char *const *environment, const User &account,
                         int output, pid_t parent) {
    const sched_param ordinary{};
    const rlimit no_core{0, 0};
    setpgid(0, 0);
    if (dup2(output, 1) < 0 || dup2(output, 2) < 0 || syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
        _exit(kCannotPrepare);
    close(0);
    if (open("/dev/null", O_RDWR) != 0) end(kCannotPrepare, "cannot open /dev/null");
    sched_setscheduler(0, SCHED_OTHER, &ordinary);
    setrlimit(RLIMIT_CORE, &no_core);
    umask(022);
    if (chdir("/") != 0 || !give_up_privileges(account))
        end(kCannotPrepare, "cannot give up privileges");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) end(kCannotPrepare, "the agent has ended");
    for (int signal = 1; signal < NSIG; ++signal)
        std::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execve(command[0], command, environment);
    end(kCannotExec, strerrordesc_np(errno));
}

std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
        text.remove_suffix(1);
    const std::size_t newline = text.rfind('\n');
    return printable(newline == text.npos ? text : text.substr(newline + 1), kShown);
}

} // namespace

ExecCheck::ExecCheck(const HealthConfig &wanted, const std::string &rule)
    : command_(wanted.command),
      environment_{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "LANG=C.UTF-8", "NLB_RULE=" + rule},
      unusable_(why_unusable(wanted.user)), reaper_(Reaper::shared()) {}

// A command of root's, or of the agent's own user, would be obeyed by the control socket and could trace
// the agent; so would one that runs as the agent because that may not change its user.
std::string ExecCheck::why_unusable(const std::string &name) {
    const std::string user = "user \"" + name + "\": ";
    try {
        const auto account = find_account(name);
        if (!account) return user + "unknown";
        if (account->user == 0) return user + "has all privileges";
        if (account->user == geteuid()) return user + "is the agent's own; name another";
        if (!can_change_user())
            return user + "the agent may not change to it; give it CAP_SETUID and CAP_SETGID";
        account_ = *account;
        return "";
    } catch (const std::exception &error) {
        return error.what();
    }
}

ExecCheck::~ExecCheck() {
    abort();
    if (child_ != 0) reaper_.reap(child_);
}

bool ExecCheck::begin() {
    int status = 0;
    if (child_ != 0 && !reap(status)) return false;
    said_.clear();
    aborted_ = false;
    if (!unusable_.empty()) return true;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail("open a pipe");
    filter::Descriptor ours(ends[0]);
    const filter::Descriptor theirs(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const std::vector<char *> command = pointers(command_), environment = pointers(environment_);
    const pid_t self = getpid(), child = fork();
    if (child == 0)
        become(command.data(), environment.data(), account_, theirs.get(), self);
    if (child < 0) fail("fork");
    output_ = std::move(ours);
    setpgid(child, child); // whoever comes first
    child_ = child;
    process_ = filter::Descriptor(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    return true;
}

// The group is killed before its leader is reaped: until then its number belongs to it.
bool ExecCheck::reap(int &status) {
    siginfo_t ended{};
    if (waitid(P_PID, static_cast<id_t>(child_), &ended, WEXITED | WNOWAIT | WNOHANG) != 0)
        ended.si_pid = child_, ended.si_status = SIGKILL; // somebody else's child it can never be
    if (ended.si_pid == 0) return false;
    kill(-child_, SIGKILL);
    reaper_.reap(child_);
    status = ended.si_code == CLD_EXITED ? W_EXITCODE(ended.si_status, 0)
                                         : W_EXITCODE(0, ended.si_status);
    child_ = 0;
    process_ = filter::Descriptor();
    return true;
}

std::optional<CheckResult> ExecCheck::handle() {
    if (!unusable_.empty()) return CheckResult{false, unusable_};
    read_output();
    int status = 0;
    if (child_ == 0 || !reap(status)) return std::nullopt;
    read_output();
    output_ = filter::Descriptor();
    if (aborted_) return std::nullopt;
    return result(status);
}

void ExecCheck::read_output() {
    std::array<char, 4096> buffer;
    for (int pieces = 0; output_ && pieces < 16; ++pieces) {
        const ssize_t size = read(output_.get(), buffer.data(), buffer.size());
        if (size < 0) return;
        if (size == 0) {
            output_ = filter::Descriptor();
            return;
        }
        said_.append(buffer.data(), static_cast<std::size_t>(size));
        if (said_.size() > kKept) said_.erase(0, said_.size() - kKept);
    }
}

CheckResult ExecCheck::result(int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {true, ""};
    const std::string how = WIFEXITED(status)
                                ? "exit code " + std::to_string(WEXITSTATUS(status))
                                : "ended by signal " + std::to_string(WTERMSIG(status));
    const std::string said = last_line(said_);
    return {false, command_[0] + ": " + how + (said.empty() ? "" : ": " + said)};
}

void ExecCheck::abort() {
    if (child_ == 0) return;
    aborted_ = true;
    kill(-child_, SIGKILL);
    kill(child_, SIGKILL); // in case that it has no group yet
    output_ = filter::Descriptor();
}

void ExecCheck::wait(Poll &poll) const {
    poll.read(process_.get());
    poll.read(output_.get());
}

} // namespace agent
