// SPDX-License-Identifier: Apache-2.0
#include "daemon_process.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <optional>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

#include <usher/core/printable.hpp>

namespace usher::ctl {
namespace {

struct Process {
    pid_t pid;
    std::string_view host;
};

std::optional<Process> parse(std::string_view who)
{
    constexpr std::string_view start = "pid ";
    constexpr std::string_view on = " on ";
    if (who.substr(0, start.size()) != start)
        return std::nullopt;
    who.remove_prefix(start.size());
    Process process{};
    const auto [end, error] = std::from_chars(who.data(), who.data() + who.size(), process.pid);
    if (error != std::errc{} || process.pid <= 0)
        return std::nullopt;
    who.remove_prefix(static_cast<std::size_t>(end - who.data()));
    if (who.substr(0, on.size()) == on)
        process.host = who.substr(on.size(), who.find(',') - on.size());
    return process;
}

std::string this_host()
{
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return host.data();
}

/// Whether /proc/locks lists a lock on `file` as usherd takes it. Nothing where it lists no lock at all, as in some
/// containers. The lock itself is not tried: that could keep a daemon from starting.
std::optional<bool> is_locked(std::string const& file)
{
    struct stat status {};
    std::ifstream locks{"/proc/locks"};
    if (::stat(file.c_str(), &status) != 0 || !locks)
        return std::nullopt;
    const std::string inode = ":" + std::to_string(status.st_ino);
    bool any = false;
    for (std::string line; std::getline(locks, line); any = true) {
        // 1: OFDLCK ADVISORY  WRITE -1 fe:01:131099 0 EOF
        std::istringstream words{line};
        std::string number;
        std::string kind;
        std::string mode;
        std::string access;
        std::string place;
        std::string holder; // is not told of such a lock
        words >> number >> kind >> mode >> access >> holder >> place;
        if (kind == "OFDLCK" && access == "WRITE" && place.size() > inode.size() &&
            place.compare(place.size() - inode.size(), inode.size(), inode) == 0)
            return true;
    }
    return any ? std::optional{false} : std::nullopt;
}

} // namespace

ProcessState process_state(std::string_view who, std::string const& database)
{
    const std::optional<Process> process = parse(who);
    if (!process || process->host != this_host())
        return ProcessState::unknown;
    if (::kill(process->pid, 0) != 0 && errno == ESRCH)
        return ProcessState::gone;
    // Another process may have the number by now.
    return is_locked(database + ".lock").value_or(true) ? ProcessState::runs : ProcessState::gone;
}

std::optional<pid_t> pid_of(std::string_view who, std::string const& database)
{
    if (process_state(who, database) != ProcessState::runs)
        return std::nullopt;
    return parse(who)->pid;
}

std::string short_name(std::string_view who)
{
    const std::optional<Process> process = parse(who);
    if (!process)
        return printable(who);
    std::string name = "pid " + std::to_string(process->pid);
    if (!process->host.empty() && process->host != this_host())
        name += " on " + printable(process->host);
    return name;
}

} // namespace usher::ctl
