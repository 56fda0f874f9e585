// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <unistd.h>

#include <usher/core/printable.hpp>
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
constexpr std::size_t verdict_lines_max = 200;

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
        const std::string path = verdict.empty() ? run_folder() + "/reload" : verdict;
        const pid_t daemon = find_daemon();
        std::error_code error;
        if (const std::vector<std::string> left = read_verdict(path);
            !left.empty() && left.front() != "taken" && left.front() != "refused")
            throw UsageError{"reload: --verdict: " + whole(path) + " holds something else"};
        std::filesystem::remove(path, error); // what an earlier reload left
        if (error && error != std::errc::no_such_file_or_directory)
            throw std::runtime_error{"reload: " + path + ": " + error.message() + ". Nothing was done."};
        if (::kill(daemon, SIGHUP) != 0)
            throw std::runtime_error{
                "reload: usherd (pid " + std::to_string(daemon) + "): " + std::strerror(errno) + ". Nothing was done."};
        const auto until = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < until) {
            const std::vector<std::string> lines = read_verdict(path);
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
        throw std::runtime_error{
            "reload: usherd (pid " + std::to_string(daemon) + ") has not answered within 20s in " + path +
            "; look into its log, or at usherctl status"};
    }
};

} // namespace

std::string run_folder()
{
    char const* const folder = std::getenv("RUNTIME_DIRECTORY");
    return folder != nullptr && *folder != '\0' ? folder : standard_folder;
}

std::vector<std::string> read_verdict(std::string const& path)
{
    std::vector<std::string> lines;
    std::ifstream file{path};
    for (std::string line; lines.size() < verdict_lines_max && std::getline(file, line);)
        lines.push_back(line);
    return lines;
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
        "Where usherd leaves its answer; " + std::string{standard_folder} + "/reload if none is named"
    );
    command.action([reload] { return reload->run(); });
}

} // namespace usher::ctl
