// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include <pwd.h>
#include <unistd.h>

#include <usher/core/nearest.hpp>
#include <usher/core/printable.hpp>
#include <usher/store/report.hpp>
#include <usher/store/requests.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "page.hpp"
#include "times.hpp"

namespace usher::ctl {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds pause_between_looks{200};
constexpr std::chrono::seconds bar_after{1};
constexpr std::chrono::seconds line_every{10};     // where no terminal shows a bar
constexpr std::chrono::seconds taken_in_within{2}; // by a daemon that is at work

struct RequestArguments {
    std::string name; ///< Of the command.
    RequestAction action = RequestAction::rotate;
    std::optional<std::string> meeting;
    std::optional<std::string> project;
    bool all = false;
    bool wait = false;
    bool dry_run = false;
    bool yes = false;
    std::string timeout = "60s";
};

std::string own_user_name()
{
    if (passwd const* user = ::getpwuid(::getuid()))
        return user->pw_name;
    return "uid " + std::to_string(::getuid());
}

std::string be(std::int64_t count)
{
    return count == 1 ? " is" : " are";
}

/// As the command takes it.
std::string scope_words(RequestScope const& scope)
{
    if (scope.meeting)
        return argument(*scope.meeting);
    return scope.project == "*" ? "--all" : "--project " + shell_word(scope.project.value_or(""));
}

std::string scope_text(RequestScope const& scope)
{
    if (scope.meeting)
        return *scope.meeting;
    return scope.project == "*" ? "all" : scope.project.value_or("");
}

/// The clock's, while a command waits.
sys_seconds current_time()
{
    return std::chrono::floor<seconds>(std::chrono::system_clock::now());
}

int refuse(
    Context& context, std::string const& command, std::string_view code, std::string const& message,
    std::string const& way_out
)
{
    const Error error{code, message, way_out};
    return cannot(context, command, error);
}

Json json_of_report(RequestReport const& report)
{
    Json document = Json::object();
    document["request"] = report.id;
    document["action"] = report.action;
    document["meeting"] = report.scope.meeting ? Json(*report.scope.meeting) : Json(nullptr);
    document["project"] = report.scope.project ? Json(*report.scope.project) : Json(nullptr);
    document["requested_by"] = report.requested_by;
    document["requested_at"] = to_iso8601(report.requested_at);
    document["state"] = report.state.empty() ? "filed" : report.state;
    document["meetings"] = report.counts.meetings;
    document["served"] = report.counts.served;
    document["sessions"] = report.counts.sessions;
    document["tokens"] = report.counts.tokens;
    document["detail"] = report.detail;
    document["done_at"] = json_of(report.done_at);
    return document;
}

Json json_of_answer(Context& context, std::string_view command, std::string const& sentence)
{
    Json document = answer(command, context.now());
    document["sentence"] = sentence;
    return document;
}

/// The meeting or project that was probably meant, among what there is.
std::string nearest_of(std::string const& text, std::vector<std::string> const& known)
{
    const std::vector<std::string_view> views{known.begin(), known.end()};
    return std::string{nearest(text, views).value_or(std::string_view{})};
}

int refuse_unknown(Context& context, RequestArguments const& arguments, RequestDesk const& desk)
{
    const bool one = arguments.meeting.has_value();
    std::string const& named = one ? *arguments.meeting : *arguments.project;
    const std::string text = named.empty() ? "\"\"" : printable(named);
    const std::string meant = nearest_of(named, one ? desk.meetings() : desk.projects());
    const std::string command = "usherctl " + arguments.name + (one ? " " : " --project ");
    return refuse(
        context, arguments.name, one ? "no_such_meeting" : "no_such_project",
        (one ? "no meeting " + text : "no meeting is in project " + text) +
            (meant.empty() ? "" : "; nearest: " + meant) + ". Nothing was done",
        meant.empty() ? "name one that the platform has" : command + (one ? argument(meant) : shell_word(meant))
    );
}

std::string preview(RequestAction action, RequestExtent const& extent)
{
    switch (action) {
    case RequestAction::rotate:
        return "Would sign " + counted(extent.tokens, "token") + " of " + counted(extent.token_meetings, "meeting") +
               " anew.";
    case RequestAction::replace_session:
        return counted(extent.sessions, "meeting") +
               (extent.sessions == 1 ? " gets a new session" : " get new sessions") +
               (extent.live > 0 ? ", " + std::to_string(extent.live) + " live: up to " +
                                      (extent.people == 1 ? "1 person" : std::to_string(extent.people) + " people") +
                                      " must join again."
                                : ", none of them live.");
    case RequestAction::retry: return "Would try " + counted(std::ssize(extent.failing), "meeting") + " again.";
    }
    return {};
}

volatile std::sig_atomic_t interrupted = 0;

/// Has SIGINT and SIGTERM end a wait, for as long as it lives.
class Interruptible {
public:
    Interruptible()
    {
        interrupted = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { interrupted = 1; };
        ::sigaction(SIGINT, &action, &interrupt_);
        ::sigaction(SIGTERM, &action, &terminate_);
    }
    Interruptible(Interruptible const&) = delete;
    Interruptible& operator=(Interruptible const&) = delete;
    ~Interruptible()
    {
        ::sigaction(SIGINT, &interrupt_, nullptr);
        ::sigaction(SIGTERM, &terminate_, nullptr);
    }

private:
    struct sigaction interrupt_ {};
    struct sigaction terminate_ {};
};

/// Shows how far a request has come: a bar on a terminal, else a line now and then.
class RequestProgress {
public:
    RequestProgress(Context& context, RequestAction action, RequestExtent const& extent)
        : context_{context},
          by_tokens_{action == RequestAction::rotate},
          total_{by_tokens_ ? extent.tokens : extent.meetings},
          has_live_{extent.live > 0},
          terminal_{&context.in == &std::cin && ::isatty(STDERR_FILENO) != 0}
    {}

    void show(RequestDesk const& desk, RequestReport const& report)
    {
        const SteadyClock::time_point now = SteadyClock::now();
        if (now - started_ < bar_after || (!terminal_ && now - shown_ < line_every))
            return;
        shown_ = now;
        const std::int64_t done = by_tokens_ ? report.counts.tokens : report.counts.served;
        const std::int64_t total = std::max({total_, done, by_tokens_ ? 0 : report.counts.meetings});
        const std::int64_t marks = total > 0 ? 10 * done / total : 0;
        std::string line = "request " + std::to_string(report.id) + " [" +
                           std::string(static_cast<std::size_t>(marks), '#') +
                           std::string(static_cast<std::size_t>(10 - marks), ' ') + "] ";
        if (report.state == "filed")
            line += "waits for usherd";
        else
            line += std::to_string(done) + " of " + counted(total, by_tokens_ ? "token" : "meeting");
        if (report.state == "running" && has_live_ && !desk.live_left(report, current_time()))
            line += ", live ones done";
        if (done > 0 && done < total) {
            const auto left = (now - started_) * (total - done) / done;
            line += ", " + to_text(std::chrono::ceil<seconds>(left)) + " left";
        }
        if (!terminal_) {
            context_.err << line << "\n";
            return;
        }
        const std::size_t width = line.size();
        line.resize(std::max(width, width_), ' ');
        width_ = width;
        context_.err << "\r" << line;
        flush();
    }

    /// What is printed next begins on a line of its own.
    void end()
    {
        if (width_ > 0)
            context_.err << "\n";
        width_ = 0;
    }

    seconds elapsed() const { return std::chrono::ceil<seconds>(SteadyClock::now() - started_); }

private:
    static void flush() { std::cerr.flush(); }

    Context& context_;
    bool by_tokens_;
    std::int64_t total_;
    bool has_live_;
    bool terminal_;
    SteadyClock::time_point started_ = SteadyClock::now();
    SteadyClock::time_point shown_ = started_;
    std::size_t width_ = 0; ///< Of the line that stands on the terminal.
};

/// What became of the meetings that a retry was for, in the words of all commands.
struct Retried {
    std::int64_t ready = 0;
    std::int64_t on_schedule = 0;
    std::int64_t at_risk = 0;
    std::int64_t failed = 0;
};

Retried count_retried(Context& context, std::vector<std::string> const& meetings)
{
    const std::set<std::string> asked_for{meetings.begin(), meetings.end()};
    const sys_seconds now = current_time();
    WordCounts counts{};
    Report{context.database(), now}.each_meeting({now, context.config().base}, [&](MeetingStanding const& meeting) {
        if (asked_for.contains(meeting.id))
            ++counts[static_cast<std::size_t>(meeting.word)];
    });
    const auto of = [&](Word word) { return counts[static_cast<std::size_t>(word)]; };
    return {of(Word::ready), of(Word::on_schedule), of(Word::at_risk), of(Word::failed)};
}

std::string text_of(Retried const& counts)
{
    std::string text;
    const auto add = [&](std::int64_t count, char const* word) {
        if (count > 0)
            text += (text.empty() ? ": " : ", ") + std::to_string(count) + " " + word;
    };
    add(counts.ready, "ready");
    add(counts.on_schedule, "on schedule");
    add(counts.at_risk, "at risk");
    add(counts.failed, "failed");
    return text;
}

std::string done_sentence(RequestAction action, RequestCounts const& counts, Retried const& retried)
{
    switch (action) {
    case RequestAction::rotate:
        return counted(counts.tokens, "token") + " of " + counted(counts.renewed, "meeting") + be(counts.tokens) +
               " new; old ones work until they expire.";
    case RequestAction::replace_session:
        return counted(counts.sessions, "meeting") +
               (counts.sessions == 1 ? " has a new session, " : " have new sessions, ") +
               counted(counts.tokens, "token") + be(counts.tokens) + " new.";
    case RequestAction::retry: return counted(counts.served, "meeting") + " tried again" + text_of(retried) + ".";
    }
    return {};
}

void tell(Context& context, std::string const& command, std::string const& sentence, RequestReport const& report)
{
    if (!context.json) {
        context.out << sentence << '\n';
        return;
    }
    Json document = json_of_answer(context, command, sentence);
    document.update(json_of_report(report));
    print(context.out, document);
}

/// Waits until nothing is left to be done, and tells how it ended.
int wait_for(
    Context& context, RequestArguments const& arguments, RequestDesk const& desk, RequestReport report,
    RequestExtent const& extent, seconds timeout
)
{
    const std::string request = "request " + std::to_string(report.id);
    const std::int64_t number = report.number;
    RequestProgress progress{context, arguments.action, extent};
    const auto give_up = [&](std::string_view code, std::string const& message, std::string const& way_out) {
        progress.end();
        return refuse(context, arguments.name, code, message, way_out);
    };
    SteadyClock::time_point moved = SteadyClock::now();
    while (report.open()) {
        progress.show(desk, report);
        std::this_thread::sleep_for(pause_between_looks);
        if (interrupted != 0)
            return give_up(
                "interrupted", "interrupted; " + request + " stays filed and goes on",
                "usherctl requests abort " + std::to_string(report.id)
            );
        auto next = desk.read(number);
        if (!next)
            return give_up(
                "deleted", request + " was deleted; what it had not done yet stays as it is",
                "usherctl " + arguments.name + " " + scope_words(report.scope)
            );
        const SteadyClock::time_point now = SteadyClock::now();
        if (next->counts != report.counts || next->state != report.state)
            moved = now;
        report = std::move(*next);
        const auto looked = desk.looked_at();
        const bool at_work = looked && *looked > current_time() - absent_after;
        if (report.state == "filed" && !at_work && now - moved >= taken_in_within)
            return give_up(
                "nobody_at_work",
                "usherd is not at work: it " +
                    (looked ? "looked " + to_relative(*looked, current_time()) : std::string{"has never looked"}) +
                    ". " + "Request " + std::to_string(report.id) + " is filed and waits",
                "systemctl start usher"
            );
        if (report.open() && now - moved >= timeout)
            return give_up(
                "timeout",
                request + " is still " + report.state + ": nothing has moved for " + to_text(timeout) + "; " +
                    std::to_string(report.counts.served) + " of " + counted(report.counts.meetings, "meeting") +
                    be(report.counts.served) + " done. It goes on",
                "usherctl status"
            );
    }
    if (report.state != "done")
        return give_up(report.state, request + " is " + report.state + ": " + report.detail, "usherctl requests");
    progress.end();
    Retried retried;
    if (arguments.action == RequestAction::retry)
        retried = count_retried(context, extent.failing);
    const std::string sentence =
        "Done in " + to_text(progress.elapsed()) + ": " + done_sentence(arguments.action, report.counts, retried);
    tell(context, arguments.name, sentence, report);
    return retried.at_risk + retried.failed > 0 ? exit_could_not : exit_done;
}

std::string filed_sentence(RequestAction action, std::int64_t id, RequestExtent const& extent)
{
    std::string filed = "Filed: request " + std::to_string(id) + "; ";
    switch (action) {
    case RequestAction::rotate:
        return filed + counted(extent.tokens, "token") + " of " + counted(extent.token_meetings, "meeting") +
               " will be signed anew.";
    case RequestAction::replace_session:
        return filed + counted(extent.sessions, "meeting") +
               (extent.sessions == 1 ? " will get a new session." : " will get new sessions.");
    case RequestAction::retry: return filed + counted(std::ssize(extent.failing), "meeting") + " will be tried again.";
    }
    return filed;
}

int request(Context& context, RequestArguments const& arguments)
{
    if ((arguments.meeting ? 1 : 0) + (arguments.project ? 1 : 0) + (arguments.all ? 1 : 0) != 1)
        throw UsageError{"name one of MEETING, --project PROJECT and --all"};
    const auto timeout = parse_duration(arguments.timeout);
    if (!timeout)
        throw UsageError{"--timeout: " + timeout.error().message};
    RequestScope scope{arguments.meeting, arguments.project};
    if (arguments.all)
        scope.project = "*";
    RequestDesk desk{context.database(), !arguments.dry_run};
    const bool known = arguments.all || (arguments.meeting ? desk.knows_meeting(*arguments.meeting)
                                                           : desk.knows_project(*arguments.project));
    if (!known)
        return refuse_unknown(context, arguments, desk);
    const RequestExtent extent = desk.extent(scope, context.now());
    if (arguments.dry_run) {
        const std::string sentence = preview(arguments.action, extent);
        if (context.json) {
            Json document = json_of_answer(context, arguments.name, sentence);
            document["dry_run"] = true;
            document["meetings"] = extent.meetings;
            document["sessions"] = extent.sessions;
            document["live"] = extent.live;
            document["people"] = extent.people;
            document["tokens"] = extent.tokens;
            print(context.out, document);
        } else {
            context.out << sentence << '\n';
        }
        return exit_done;
    }
    // Whoever is in a session that is replaced must join again.
    if (arguments.action == RequestAction::replace_session && (!arguments.meeting || extent.live > 0) &&
        !arguments.yes && !agreed(context, arguments.name, preview(arguments.action, extent)))
        return exit_could_not;
    const Interruptible signals; // from before there is something to tell about
    const RequestReport report = desk.file(arguments.action, scope, own_user_name());
    if (arguments.wait)
        return wait_for(context, arguments, desk, report, extent, *timeout);
    const std::string sentence = filed_sentence(arguments.action, report.id, extent);
    tell(context, arguments.name, sentence, report);
    return exit_done;
}

std::string how_far(RequestReport const& report)
{
    if (report.state != "running")
        return "waits for usherd";
    return std::to_string(report.counts.served) + " of " + counted(report.counts.meetings, "meeting") +
           (report.all_marked ? "" : " so far");
}

int list_requests(Context& context)
{
    const RequestDesk desk{context.database(), false};
    const std::vector<RequestReport> open = desk.open();
    const std::string sentence =
        open.empty() ? "No request is open." : counted(std::ssize(open), "request") + be(std::ssize(open)) + " open.";
    if (context.json) {
        Json document = json_of_answer(context, "requests", sentence);
        Json items = Json::array();
        for (RequestReport const& report : open)
            items.push_back(json_of_report(report));
        document["requests"] = {{"total", open.size()}, {"items", std::move(items)}};
        print(context.out, document);
        return exit_done;
    }
    context.out << sentence << '\n';
    const Times times{context.now(), context.local};
    for (RequestReport const& report : open)
        context.out << report.id << "  " << report.action << " " << scope_text(report.scope) << ", by "
                    << (report.requested_by.empty() ? "somebody" : report.requested_by) << " "
                    << times.at(report.requested_at) << ": " << how_far(report) << '\n';
    return exit_done;
}

std::string aborted_sentence(RequestReport const& report, std::int64_t left)
{
    const std::string aborted = "Aborted: request " + std::to_string(report.id) + "; ";
    RequestCounts const& counts = report.counts;
    if (report.action == to_text(RequestAction::retry))
        return aborted + counted(counts.served, "meeting") + (counts.served == 1 ? " was" : " were") +
               " tried again, " + std::to_string(left) + (left == 1 ? " was" : " were") + " not.";
    const bool replaces = report.action == to_text(RequestAction::replace_session);
    const std::int64_t renewed = replaces ? counts.sessions : counts.renewed;
    return aborted + counted(renewed, "meeting") + (renewed == 1 ? " has new " : " have new ") +
           (replaces ? "sessions, " : "tokens, ") + std::to_string(left) +
           (left == 1 ? " keeps its own." : " keep theirs.");
}

int abort_request(Context& context, std::string const& number)
{
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
    if (error != std::errc{} || end != number.data() + number.size())
        throw UsageError{
            "requests: abort: expected a request's number, got " + in_quotes(number) +
            "; see usherctl requests abort --help"};
    RequestDesk desk{context.database(), true};
    const sys_seconds now = context.now();
    const auto report = desk.abort(id, own_user_name(), now);
    if (!report) {
        const auto found = desk.find(id);
        return refuse(
            context, "requests abort", found ? "not_open" : "no_such_request",
            (found ? "request " + std::to_string(id) + " is " + found->state + " already"
                   : "no request " + std::to_string(id)) +
                ". Nothing was done",
            "usherctl requests"
        );
    }
    std::int64_t left = report->counts.meetings - report->counts.served;
    if (!report->all_marked)
        left = std::max(left, desk.extent(report->scope, now).meetings - report->counts.served);
    const std::string sentence = desk.has_company(*report) ? "Aborted: request " + std::to_string(id) +
                                                                 "; another request asks for the same and goes on."
                                                           : aborted_sentence(*report, left);
    if (context.json) {
        Json document = json_of_answer(context, "requests abort", sentence);
        document.update(json_of_report(desk.find(id).value_or(*report)));
        document["left"] = left;
        print(context.out, document);
    } else {
        context.out << sentence << '\n';
    }
    return exit_done;
}

struct RequestCommand {
    std::string name;
    RequestAction action;
    std::string summary;
    std::string example;
};

void add_request(CLI::App& app, Context& context, RequestCommand const& told)
{
    Command command{app, context, told.name, told.summary, told.example};
    const bool replaces = told.action == RequestAction::replace_session;
    command.help(
        "Usage: usherctl " + told.name + " (MEETING | --project NAME | --all) [--wait] [--dry-run]" +
        (replaces ? " [--yes]\n" : "\n") + told.summary + "\nExample: " + told.example + "\n"
    );
    const auto arguments = std::make_shared<RequestArguments>();
    arguments->name = told.name;
    arguments->action = told.action;
    command.takes("meeting", "MEETING", arguments->meeting, "The meeting's id");
    command.takes("--project", "PROJECT", arguments->project, "All meetings of a project");
    command.takes("--all", arguments->all, "All meetings");
    command.takes("--wait", arguments->wait, "Wait until every meeting has been served");
    command.takes("--dry-run", arguments->dry_run, "Say what would be done, and do nothing");
    if (replaces)
        command.takes("--yes", arguments->yes, "Do not ask");
    command.takes(
        "--timeout", "DURATION", arguments->timeout, "Stop waiting when nothing has moved for so long; 60s if not given"
    );
    command.action([&context, arguments] { return request(context, *arguments); });
}

} // namespace

void add_requests(CLI::App& app, Context& context)
{
    add_request(
        app, context,
        {"rotate", RequestAction::rotate, "Signs tokens anew, live meetings first; nobody is thrown out.",
         "usherctl rotate --project default --wait"}
    );
    add_request(
        app, context,
        {"replace-session", RequestAction::replace_session,
         "Makes new sessions, with new tokens; whoever is in an old one must join again.",
         "usherctl replace-session board-2026-05 --wait"}
    );
    add_request(
        app, context,
        {"retry", RequestAction::retry, "Tries again at once what has failed.", "usherctl retry board-2026-05 --wait"}
    );
    Command command{
        app, context, "requests", "Lists what was asked for and is not done yet; aborts it.",
        "usherctl requests abort 8"};
    command.action([&context] { return list_requests(context); });
    Command abort = command.add_below("abort", "What it has not done yet stays as it is", "usherctl requests abort 7");
    const auto id = std::make_shared<std::string>();
    abort.needs("request", "N", *id, "The request's number");
    abort.action([&context, id] { return abort_request(context, *id); });
}

} // namespace usher::ctl
