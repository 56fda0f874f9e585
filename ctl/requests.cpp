// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <thread>

#include <pwd.h>
#include <unistd.h>

#include <usher/store/report.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace usher::ctl {
namespace {

constexpr std::chrono::milliseconds pause_between_looks{200};

struct RequestArguments {
    std::string action;
    std::optional<std::string> meeting;
    std::optional<std::string> project;
    bool all = false;
    bool wait = false;
    std::string timeout = "60s";
};

std::string user_name()
{
    if (passwd const* user = ::getpwuid(::getuid()))
        return user->pw_name;
    return "uid " + std::to_string(::getuid());
}

RequestReport wait_for(std::string const& path, std::int64_t id, seconds timeout)
{
    const auto end = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        RequestReport report = request_state(path, id);
        if (report.state == "done" || report.state == "refused" || std::chrono::steady_clock::now() >= end)
            return report;
        std::this_thread::sleep_for(pause_between_looks);
    }
}

Json json_of_request(std::int64_t id, std::string const& action, RequestReport const& report)
{
    Json document = Json::object();
    document["request"] = id;
    document["action"] = action;
    document["state"] = report.state;
    document["meetings"] = report.meetings;
    document["sessions"] = report.sessions;
    document["tokens"] = report.tokens;
    document["detail"] = report.detail;
    return document;
}

int request(Context& context, RequestArguments const& arguments)
{
    if ((arguments.meeting ? 1 : 0) + (arguments.project ? 1 : 0) + (arguments.all ? 1 : 0) != 1)
        throw UsageError{"name one of MEETING, --project PROJECT and --all"};
    const auto timeout = parse_duration(arguments.timeout);
    if (!timeout)
        throw UsageError{"--timeout: " + timeout.error().message};
    const std::string path = context.database();
    const std::int64_t id = file_request(path, arguments.action, arguments.meeting, arguments.project, user_name());
    const RequestReport report = arguments.wait ? wait_for(path, id, *timeout) : RequestReport{};
    const bool finished = report.state == "done" || report.state == "refused";
    if (context.json) {
        print(context.out, json_of_request(id, arguments.action, report));
    } else if (finished) {
        context.out << "request " << id << " is " << report.state << ": " << counted(report.meetings, "meeting") << ", "
                    << counted(report.sessions, "new session") << ", " << counted(report.tokens, "token") << '\n';
        if (!report.detail.empty())
            context.out << printable(report.detail) << '\n';
    } else {
        context.out << "request " << id << " is filed\n";
    }
    if (arguments.wait && !finished) {
        context.err << "usherctl: request " << id << " is still " << printable(report.state) << " after "
                    << to_text(*timeout)
                    << (report.state == "filed" ? "; does the daemon run?" : "; the daemon goes on with it") << '\n';
        return exit_could_not;
    }
    return report.state == "refused" ? exit_could_not : exit_done;
}

void add_request(
    CLI::App& app, Context& context, std::string const& name, std::string const& action, std::string const& summary,
    std::string const& example
)
{
    CLI::App* command = add_command(app, context, name, summary, example);
    auto arguments = std::make_shared<RequestArguments>();
    arguments->action = action;
    command->add_option("meeting", arguments->meeting, "The meeting's id")->type_name("MEETING");
    command->add_option("--project", arguments->project, "All meetings of a project")->type_name("PROJECT");
    command->add_flag("--all", arguments->all, "All meetings");
    command->add_flag("--wait", arguments->wait, "Wait until the daemon has done it");
    command->add_option("--timeout", arguments->timeout, "How long to wait; 60s if not given")->type_name("DURATION");
    command->callback([&context, arguments] {
        context.action = [&context, arguments] { return request(context, *arguments); };
    });
}

} // namespace

void add_requests(CLI::App& app, Context& context)
{
    add_request(
        app, context, "rotate", "rotate", "Have tokens signed anew, such as after the secret was changed",
        "usherctl rotate --project default --wait"
    );
    add_request(
        app, context, "retry", "retry", "Have failed meetings tried again now", "usherctl retry board-2026-05 --wait"
    );
    add_request(
        app, context, "replace-session", "replace_session",
        "Have a new session made, with new tokens; those of the old one are withdrawn",
        "usherctl replace-session board-2026-05 --wait"
    );
}

} // namespace usher::ctl
