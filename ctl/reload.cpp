// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/core/printable.hpp>
#include <usher/store/database.hpp>
#include <usher/store/report.hpp>

#include "commands.hpp"
#include "daemon_process.hpp"
#include "output.hpp"
#include "reload.hpp"

namespace usher::ctl {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 20s;
constexpr auto look_again = 50ms;
constexpr char const* standard_folder = "/run/usher";
constexpr std::size_t verdict_bytes_max = 1 << 16;

struct ReloadCommand {
    Context& context;
    std::string pid{};
    std::string verdict{};

    pid_t find_daemon() const
    {
        if (!pid.empty()) {
            pid_t number = 0;
            const auto [end, error] = std::from_chars(pid.data(), pid.data() + pid.size(), number);
            if (error != std::errc{} || end != pid.data() + pid.size() || number <= 1)
                throw UsageError{"reload: --pid: expected the number of a process, got " + in_quotes(pid)};
            std::string name;
            std::getline(std::ifstream{"/proc/" + pid + "/comm"}, name);
            if (!name.empty() && name != "usherd")
                throw UsageError{"reload: --pid: process " + pid + " is " + whole(name) + " and no usherd"};
            return number;
        }
        const DaemonReport daemon = Report{context.config().database, context.now()}.daemon();
        const std::optional<pid_t> found = pid_of(daemon.who, context.config().database);
        if (!found)
            throw std::runtime_error{"reload: no usherd runs on this machine for this database. Nothing was done."};
        return *found;
    }

    int run() const
    {
        const pid_t daemon = find_daemon();
        const std::vector<std::string> paths = verdict.empty() ? verdict_places(context) : std::vector{verdict};
        std::map<std::string, std::string> earlier; // stamps, by path
        for (std::string const& path : paths) {
            const LeftVerdict left = read_verdict(path);
            if (!verdict.empty() && !left.lines.empty() && left.lines.front() != "taken" &&
                left.lines.front() != "refused")
                throw UsageError{"reload: --verdict: " + whole(path) + " holds something else"};
            earlier[path] = left.stamp;
        }
        if (::kill(daemon, SIGHUP) != 0)
            throw std::runtime_error{
                "reload: usherd (pid " + std::to_string(daemon) + "): " + std::strerror(errno) + ". Nothing was done."};
        const auto until = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < until) {
            std::vector<std::string> lines;
            for (std::string const& path : paths)
                if (LeftVerdict left = read_verdict(path); left.stamp != earlier[path] && !left.lines.empty())
                    lines = std::move(left.lines);
            if (!lines.empty() && lines.front() == "taken") {
                if (context.json)
                    print(context.out, Json{{"version", 1}, {"command", "reload"}, {"taken", true}});
                else
                    context.out << "Done: usherd works with the configuration as it is now.\n";
                return exit_done;
            }
            if (!lines.empty() && context.json) {
                const std::vector<std::string> errors{lines.begin() + 1, lines.end()};
                print(context.out, Json{{"version", 1}, {"command", "reload"}, {"taken", false}, {"errors", errors}});
                return exit_could_not;
            }
            if (!lines.empty()) {
                context.err << "usherctl: reload: refused; the old configuration stays.\n";
                for (std::size_t i = 1; i < lines.size(); ++i)
                    context.err << lines[i] << '\n';
                return exit_could_not;
            }
            if (::kill(daemon, 0) != 0 && errno == ESRCH)
                throw std::runtime_error{"reload: usherd (pid " + std::to_string(daemon) + ") ended meanwhile."};
            std::this_thread::sleep_for(look_again);
        }
        std::string names;
        for (std::string const& path : paths)
            names += (names.empty() ? "" : " or ") + path;
        throw std::runtime_error{
            "reload: usherd (pid " + std::to_string(daemon) + ") has not answered within 20s in " + names +
            "; look into its log, or at usherctl status"};
    }
};

} // namespace

std::vector<std::string> verdict_places(Context& context)
{
    constexpr char const* name = "/reload";
    if (char const* const folder = std::getenv("RUNTIME_DIRECTORY"); folder != nullptr && *folder != '\0')
        return {std::string{folder} + name}; // we are of the unit, as ExecReload= is
    return {std::string{standard_folder} + name, real_path(context.config().database) + ".reload"};
}

LeftVerdict read_verdict(std::string const& path)
{
    LeftVerdict left;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    left.is_hidden = file < 0 && errno == EACCES;
    struct stat status {};
    if (file < 0)
        return left;
    if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
        left.left_at = status.st_mtim.tv_sec;
        left.stamp = std::to_string(status.st_ino) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
                     std::to_string(status.st_mtim.tv_nsec);
        std::string text(verdict_bytes_max, '\0');
        const auto size = ::read(file, text.data(), text.size());
        text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        std::istringstream lines{text};
        for (std::string line; std::getline(lines, line);)
            left.lines.push_back(line);
    }
    ::close(file);
    return left;
}

void add_reload(CLI::App& app, Context& context)
{
    Command command{
        app, context, "reload", "Has usherd take the configuration as it is now, and tells whether it did",
        "usherctl reload"};
    const auto reload = std::make_shared<ReloadCommand>(ReloadCommand{context});
    command.takes("--pid", "NUMBER", reload->pid, "The daemon's process; else the one that the database names");
    command.takes(
        "--verdict", "FILE", reload->verdict,
        "Where usherd leaves its answer; else " + std::string{standard_folder} + "/reload and DATABASE.reload"
    );
    command.action([reload] { return reload->run(); });
}

} // namespace usher::ctl
