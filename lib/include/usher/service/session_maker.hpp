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
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/async/task_group.hpp>
#include <usher/async/wakeup.hpp>
#include <usher/core/plan.hpp>
#include <usher/provider/provider.hpp>
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

    struct Line {
        ProjectFacts facts;
        std::shared_ptr<Provider> provider;
        PaceSettings pace;
    };
    /// Takes new projects; calls under way end as they may, orders come again with the next look at their meetings.
    void configure(std::vector<Line> lines, Policy base);

    /// Orders a session for a meeting whose plan says so. Once more does no harm.
    void want(std::string_view project_name, MeetingNo meeting, sys_seconds opens);

    /// Sessions have been marked whose people are to be thrown out.
    void want_disconnects();

    /// Tells the planner which projects' providers are not asked at present.
    void tell_outages(Projects& projects) const;

    /// Records what ended, and starts what may be started. Returns how long nothing more is to be done, unless a call
    /// ends. Errors: those of Store; nothing is lost by them.
    std::chrono::steady_clock::duration step();

    /// Steps for ever, until it is cancelled.
    boost::asio::awaitable<void> run();

    /// Starts nothing more, and waits for what is under way, for `grace` at most.
    boost::asio::awaitable<void> drain(std::chrono::steady_clock::duration grace);

    /// Cancels what is under way, at once: its attempts are counted as abandoned by the next start.
    void request_stop();

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
    };
    struct Project;
    struct Result {
        std::shared_ptr<Project> project;
        Order order;
        CreateOutcome outcome;
    };

    boost::asio::awaitable<void> call(std::shared_ptr<Project> project, Order order);
    void start(std::shared_ptr<Project> const& project);
    boost::asio::awaitable<void> disconnect(std::shared_ptr<Project> project, Store::Disconnect session);
    std::chrono::steady_clock::duration start_disconnects();
    std::chrono::steady_clock::duration start_all();
    void take_back();
    EndedCall ended(Result const& result) const;
    void note(Result const& result);
    void report(Project& project, bool was_open);

    boost::asio::any_io_executor executor_;
    Store& store_;
    Clock& clock_;
    RandomSource& random_;
    std::function<void()> changed_;
    Wakeup wakeup_;
    std::map<std::string, std::shared_ptr<Project>, std::less<>> projects_;
    Projects known_; ///< For the planner.
    std::vector<Result> results_;
    std::set<MeetingNo> busy_; ///< Meetings with a call begun and not recorded yet.
    // To be written by the next step:
    std::vector<EndedCall> unsent_;
    std::optional<std::vector<ProjectStatus>> rows_; ///< Of all projects.
    std::vector<std::string> unreported_;            ///< Projects whose circuit or clock changed.
    std::vector<MeetingNo> to_look_at_;
    std::vector<MeetingNo> to_retry_;
    struct ThrownOut {
        Store::Disconnect session;
        std::string event;
        std::string detail;
    };
    std::vector<ThrownOut> thrown_out_;
    struct Tries {
        int failures = 0;
        bool under_way = false;
        std::chrono::steady_clock::time_point next{};
    };
    std::map<SessionNo, Tries> disconnects_; ///< Of those that were tried.
    bool disconnects_wanted_ = true;         ///< Some may be left by an earlier daemon.
    bool stopping_ = false;
    std::exception_ptr failure_;
    TaskGroup calls_; // last: its coroutines refer to everything above
};

} // namespace usher
