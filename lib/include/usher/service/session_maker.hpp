// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/async/task_group.hpp>
#include <usher/async/wakeup.hpp>
#include <usher/core/plan.hpp>
#include <usher/provider/provider.hpp>
#include <usher/service/metrics.hpp>
#include <usher/service/pace.hpp>
#include <usher/service/random.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// Makes the sessions that need the network, beside the passes: orders in, staged sessions or reasons out. The one
/// owner of retries and back-off. Orders are kept in memory by need; the agenda holds what they are made from, so that
/// losing one costs time only.
class SessionMaker {
public:
    /// `changed` is called whenever meetings have become due by what was recorded.
    SessionMaker(
        boost::asio::any_io_executor executor, Store& store, Clock& clock, RandomSource& random,
        std::function<void()> changed
    );

    /// Calls are counted there from now on.
    void count_in(Metrics& metrics) { metrics_ = &metrics; }

    /// A project as far as calls to its provider need it.
    struct CalledProject {
        ProjectFacts facts;
        std::shared_ptr<Provider> provider;
        PaceSettings pace;
    };
    /// Takes new projects; calls under way end as they may, orders come again with the next look at their meetings.
    void configure(std::vector<CalledProject> called, Policy base);

    /// Orders a session for a meeting whose plan says so. Calling this twice is harmless. `known` is the outage that
    /// the plan knew of: a meeting that has not been told of today's is marked, to be told.
    void
    want(std::string_view project_name, MeetingNo meeting, sys_seconds opens, std::optional<Outage> const& known = {});

    /// Sessions have been marked whose people are to be thrown out.
    void want_disconnects();

    /// Somebody asks for a new attempt at a meeting of the project, which is asked at once then, whatever pause it
    /// wanted: once for each request.
    void retry(std::string_view project_name, WorkNo request);
    /// The same for sessions whose people are to be thrown out, of any project.
    void retry_disconnects();

    /// `projects` for the planner, with the outages that they have now.
    Projects with_outages(Projects projects) const;

    /// Records what ended, in one short transaction at most, and starts what may be started. Returns how long nothing
    /// more is to be done, unless a call ends. Errors: those of Store; nothing is lost by them.
    boost::asio::awaitable<std::chrono::steady_clock::duration> step();

    /// Steps for ever, until it is cancelled.
    boost::asio::awaitable<void> run();

    /// Starts nothing more, and waits for what is under way, for `grace` at most.
    boost::asio::awaitable<void> drain(std::chrono::steady_clock::duration grace);

    /// Cancels what is under way, at once: its attempts are counted as abandoned by the next start.
    void request_stop();

    /// How many sessions are ordered and wait for their call, by project.
    std::map<std::string, std::size_t> waiting() const;

    /// Whether anything is under way, or could be.
    bool busy();

private:
    struct Order {
        MeetingNo meeting{};
        sys_seconds opens;
        std::string meeting_id;
        std::int64_t attempt = 0;
        SessionRow session; ///< As asked for.
        SessionOptions options;
        std::uint64_t inputs = 0;
        int attempts = 0;
        std::chrono::steady_clock::time_point begun{}; ///< When it was on record.
    };
    struct ProjectCalls;
    struct FinishedCall {
        std::shared_ptr<ProjectCalls> project;
        Order order;
        CreateOutcome outcome;
    };

    /// What one step records.
    struct News {
        std::vector<std::pair<std::shared_ptr<ProjectCalls>, Order>> beginning{};
        std::vector<std::pair<std::shared_ptr<ProjectCalls>, std::pair<MeetingNo, sys_seconds>>> looked_at{};
        std::vector<EndedCall> unsent{};
        std::optional<std::vector<ProjectStatus>> rows{};
        std::set<std::string> unreported{};
        std::vector<MeetingNo> to_look_at{};
        std::vector<EndedDisconnect> disconnects{};
    };

    News take_news();
    void put_back(News news);
    boost::asio::awaitable<CallRecord> record(News const& news);
    void begin(News news, CallRecord const& record);
    boost::asio::awaitable<void> call(std::shared_ptr<ProjectCalls> project, Order order);
    void start(std::shared_ptr<ProjectCalls> const& project);
    struct Emptying;
    using SteadyInstant = std::chrono::steady_clock::time_point;
    boost::asio::awaitable<void> disconnect(std::shared_ptr<ProjectCalls> project, Disconnect row);
    static std::optional<SteadyInstant> next_disconnect(ProjectCalls& project, SteadyInstant now);
    bool take_turn(Emptying& emptying);
    std::chrono::steady_clock::duration start_disconnects();
    struct StartedDisconnects {
        bool any_left = false;
        std::chrono::steady_clock::duration wait; ///< Until more can be started.
    };
    StartedDisconnects start_disconnects(std::optional<std::string> const& name);
    WhyNotDisconnect why_not(Disconnect const& row) const;
    std::chrono::steady_clock::duration start_all();
    std::chrono::steady_clock::duration end_outages();
    void take_back(ProjectCalls& project);
    void end_disconnect(Disconnect const& row, std::string event, std::string detail);
    EndedCall ended(FinishedCall const& result) const;
    bool is_taken(std::string const& session_id) const;
    std::chrono::steady_clock::time_point
    say_started(ProjectCalls const& project, char const* call, std::string const& meeting_id) const;
    void say_done(
        ProjectCalls const& project, char const* call, std::string const& meeting_id,
        std::chrono::steady_clock::time_point started, ProviderFailure const* failure
    ) const;
    void hear(FinishedCall result);
    void
    hear(ProjectCalls& project, ProviderFailure const* failure, std::optional<seconds> clock_ahead, sys_seconds opens);
    void weigh(ProjectCalls& project);
    void hurry(ProjectCalls& project, std::chrono::steady_clock::time_point by);
    void hurry_disconnects(ProjectCalls& project, std::chrono::steady_clock::time_point by);
    sys_seconds next_probe(ProjectCalls const& project) const;
    ProjectStatus status_of(ProjectCalls const& project) const;
    bool has_news() const;

    boost::asio::any_io_executor executor_;
    Store& store_;
    Clock& clock_;
    RandomSource& random_;
    std::function<void()> changed_;
    Metrics* metrics_ = nullptr;
    Wakeup wakeup_;
    std::map<std::string, std::shared_ptr<ProjectCalls>, std::less<>> projects_;
    Projects known_; ///< For the planner.
    std::vector<FinishedCall> results_;
    std::vector<FinishedCall> recording_; ///< Those that the step under way records.
    bool stepping_ = false;
    Wakeup stepped_;
    std::set<MeetingNo> busy_; ///< Meetings with a call begun and not recorded yet.
    // To be written by the next step:
    std::vector<EndedCall> unsent_;
    std::optional<std::vector<ProjectStatus>> rows_; ///< Of all projects.
    std::set<std::string> unreported_;               ///< Projects whose circuit or clock changed.
    std::vector<MeetingNo> to_look_at_;
    std::vector<EndedDisconnect> ended_disconnects_;
    struct Tries {
        int failures = 0;
        bool under_way = false;
        std::chrono::steady_clock::time_point next{};
        std::shared_ptr<ProjectCalls> project{}; ///< Whose provider the emptier is of.
        std::unique_ptr<Emptier> emptier{};      ///< How far it has come.
    };
    std::map<SessionNo, Tries> disconnects_; ///< Of those that were tried.
    bool disconnects_wanted_ = true;         ///< Some may be left by an earlier daemon.
    bool stopping_ = false;
    std::exception_ptr failure_;
    TaskGroup calls_; // last: its coroutines refer to everything above
};

} // namespace usher
