// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <usher/async/clock.hpp>
#include <usher/async/wakeup.hpp>
#include <usher/service/engine.hpp>
#include <usher/service/log_event.hpp>
#include <usher/service/provisioning.hpp>
#include <usher/service/session_maker.hpp>
#include <usher/store/store.hpp>

namespace usher {

/// Others keep usherd from working: told once, however often it is tried again.
class Hindrance {
public:
    explicit Hindrance(std::function<void(std::string const&)> tell_status) : tell_status_{std::move(tell_status)} {}

    void met(DatabaseBusy const& error);
    void over();
    bool lasts() const { return told_.has_value(); }

private:
    std::function<void(std::string const&)> tell_status_;
    std::optional<LogEventNo> told_;
};

/// Performs what the engine decides, until it is stopped; the rest of the world reports to it. All members are called
/// on the executor.
class MainLoop {
public:
    /// What only the program can do.
    struct Doors {
        std::function<bool()> reload;                        ///< Takes another configuration; whether it did.
        std::function<void()> announce;                      ///< For the first time nothing is due.
        std::function<void(std::string const&)> tell_status; ///< What usherd is at, in a sentence.
        /// Offers lines to readers that have not taken them yet; in how long to do so again, if any are left.
        std::function<std::optional<std::chrono::steady_clock::duration>()> offer_again{};
        /// A step is done, or has found others in its way: the loop does not hang.
        std::function<void(std::string_view step)> progressed = [](std::string_view) {};
        std::function<void(std::chrono::steady_clock::duration, bool urgent)> reacted = [](auto, bool) {
        }; ///< So long ago others changed what is published now.
    };
    struct Parts {
        Store& store;
        Provisioner& provisioner;
        SessionMaker& maker;
        Clock& clock;
        Hindrance& hindrance;
    };

    /// How often it does something though nothing is due.
    struct Rhythm {
        std::chrono::steady_clock::duration wait_max = Engine::wait_max;
        std::chrono::steady_clock::duration heartbeat = std::chrono::minutes{1};
    };
    struct Counts {
        std::int64_t rounds = 0;
        std::int64_t idle_rounds = 0; ///< At whose end nothing was left to do, nor to sweep.
    };

    MainLoop(Parts parts, boost::asio::any_io_executor executor, Engine::Mode mode, bool hurried, Doors doors)
        : MainLoop{parts, std::move(executor), mode, hurried, std::move(doors), Rhythm{}}
    {}
    MainLoop(
        Parts parts, boost::asio::any_io_executor executor, Engine::Mode mode, bool hurried, Doors doors, Rhythm rhythm
    );

    /// Ends after a stop, or in `once` when nothing is due; calls that are under way have been waited for. Errors:
    /// those of Store.
    boost::asio::awaitable<void> run();
    /// Wakes run() when others have committed. Ends after a stop.
    boost::asio::awaitable<void> look_for_changes();

    void wake() { wakeup_.notify(); }
    void request_stop();
    void request_reload();
    void clock_was_set();

    bool stopping() const { return stopping_; }
    void log_published(); ///< What was not told yet.
    PassResult const& total() const { return total_; }
    Counts const& counts() const { return counts_; }

private:
    Engine::Facts facts();
    boost::asio::awaitable<Engine::StepOutcome> perform(Engine::Step step);
    boost::asio::awaitable<void> rest(std::chrono::steady_clock::duration wait);
    boost::asio::awaitable<void> beat();
    void count_round(std::chrono::steady_clock::duration wait, bool hindered);
    void log(PassResult const& result);
    void tell_due();

    Parts parts_;
    Doors doors_;
    Rhythm rhythm_;
    Engine engine_;
    Wakeup wakeup_;
    bool stopping_ = false;
    std::optional<sys_seconds> due_; ///< The next work that the rows know of.
    Counts counts_;
    PassResult total_;
    PassResult unlogged_;
    std::chrono::steady_clock::time_point log_again_{};
    std::optional<std::chrono::steady_clock::time_point> beaten_;  ///< The last heartbeat.
    std::optional<std::chrono::steady_clock::time_point> noticed_; ///< The first change that no pass has served.
};

} // namespace usher
