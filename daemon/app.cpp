// SPDX-License-Identifier: Apache-2.0
#include "app.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <usher/async/clock.hpp>
#include <usher/async/task_group.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/core/printable.hpp>
#include <usher/provider/beast_transport.hpp>
#include <usher/provider/kind.hpp>
#include <usher/service/engine.hpp>
#include <usher/service/log_event.hpp>
#include <usher/service/main_loop.hpp>
#include <usher/service/provisioning.hpp>
#include <usher/store/database.hpp>
#include <usher/store/make_store.hpp>
#include <usher/store/process.hpp>
#include <usher/store/report.hpp>
#include <usher/store/store.hpp>

#include "early_signals.hpp"
#include "line_writer.hpp"
#include "log_setup.hpp"
#include "print_line.hpp"
#include "projects.hpp"
#include "systemd_notify.hpp"

namespace usher {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr int worker_nice = 5;
constexpr std::size_t told_max = 1000; // meetings that are not ready, one by one
constexpr auto stop_deadline = 10s;    // for the batch in hand
constexpr auto retry_at_start = 100ms;
constexpr auto notify_retry = 1s; // while systemd does not read

std::string this_process()
{
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return "pid " + std::to_string(::getpid()) + " on " + host.data() + ", started " + to_iso8601(SystemClock{}.now());
}

/// What providers see of the world: this machine's clock, and its network by way of `executor`.
ProviderDoors doors_of(asio::any_io_executor const& executor)
{
    return {
        [] { return SystemClock{}.now(); },
        [executor](TransportSettings settings) { return BeastTransport::create(executor, std::move(settings)); }};
}

/// The threads that read, plan and sign. They give way: to platforms, and to the thread that holds the write lock.
class WorkerThreads {
public:
    explicit WorkerThreads(asio::io_context& context) : context_{context}, guard_{context.get_executor()}
    {
        const std::size_t count = std::max(1U, std::thread::hardware_concurrency());
        try {
            while (threads_.size() < count)
                threads_.emplace_back([this] {
                    take_no_signals_in_this_thread();
                    ::setpriority(PRIO_PROCESS, 0, worker_nice); // of this thread alone, on Linux
                    context_.run();
                });
        } catch (std::system_error const& error) { // a limit on threads
            if (threads_.empty())
                throw;
            log_event(
                "limit.threads"_event, fmt::format(
                                           " threads={} processors={} reason=\"{}{}\"", threads_.size(), count,
                                           error.what(), way_out_of(error.code().value())
                                       )
            );
        }
    }
    WorkerThreads(WorkerThreads const&) = delete;
    WorkerThreads& operator=(WorkerThreads const&) = delete;
    ~WorkerThreads()
    {
        guard_.reset();
        for (std::thread& thread : threads_)
            thread.join();
    }

    Workers workers() { return {context_.get_executor(), threads_.size()}; }

private:
    asio::io_context& context_;
    asio::executor_work_guard<asio::io_context::executor_type> guard_;
    std::vector<std::thread> threads_;
};

/// The daemon between construction and stop. Every task lives in the group, on one thread; what needs the processor is
/// done by the workers.
class App {
public:
    App(Config config, Reload reload, Engine::Mode mode)
        : reload_{std::move(reload)},
          who_{this_process()},
          database_{real_path(config.database)},
          store_{make_store(config.database, who_, clock_, context_.get_executor(), work_.get_executor())},
          maker_{context_.get_executor(), *store_, clock_, random_, [this] { loop_->wake(); }},
          tasks_{context_.get_executor(), [this](std::string const& task, std::exception_ptr error) {
                     log_event("task.failed"_event, fmt::format(" name={}", task));
                     if (!failure_) // what fails after it may follow from it
                         failure_ = std::move(error);
                     stop_everything();
                 }}
    {
        patiently_at_start([this] { open_store(); });
        const Tenure tenure = patiently_at_start([this] { return store_->take_over(); });
        provisioner_ = std::make_unique<Provisioner>(
            *store_, clock_, random_, maker_, context_.get_executor(), threads_.workers(),
            projects_of(config, doors_of(context_.get_executor())), settings_of(config.base, tenure.clock)
        );
        const bool clock_went_back = tenure.last_look > clock_.now();
        if (clock_went_back)
            log_event(
                "clock.stepped"_event,
                fmt::format(" back last_look={} now={}", to_iso8601(tenure.last_look), to_iso8601(clock_.now()))
            );
        const MainLoop::Parts parts{*store_, *provisioner_, maker_, clock_, hindrance_};
        MainLoop::Doors doors{
            [this] { return reload_configuration(); }, [this] { announce(); },
            [this](std::string const& sentence) { tell_status(sentence); }, &App::offer_again};
        loop_.emplace(parts, context_.get_executor(), mode, clock_went_back, std::move(doors));
    }

    int run_once()
    {
        tasks_.spawn("once", once());
        tasks_.spawn("sessions", maker_.run());
        tasks_.spawn("signals", signals());
        stop_signals_.emplace(context_, SIGTERM, SIGINT);
        release_hangup(false);
        context_.run();
        finish();
        take_no_signals_in_this_thread(); // main() does again
        hurry_if_stopped();
        return all_ready_ ? exit_done : exit_could_not;
    }

    int run()
    {
        if (const auto slow = store_->notice_changes())
            log_event("limit.watches"_event, fmt::format(" {} ms reason=\"{}\"", slow->every.count(), slow->reason));
        tasks_.spawn("provisioning", provision());
        tasks_.spawn("sessions", maker_.run());
        tasks_.spawn("changes", loop_->look_for_changes());
        tasks_.spawn("clock", watch_clock());
        tasks_.spawn("signals", signals());
        tasks_.spawn("reload", reload_signals());
        stop_signals_.emplace(context_, SIGTERM, SIGINT);
        hangups_.emplace(context_, SIGHUP);
        release_hangup(true);
        context_.run();
        finish();
        return exit_done;
    }

private:
    static ProvisioningSettings settings_of(Policy const& base, ClockRecord const& clock)
    {
        ProvisioningSettings settings;
        settings.base = base;
        settings.clock = clock;
        return settings;
    }

    void open_store()
    {
        if (const std::string set_aside = store_->open(); !set_aside.empty())
            log_event("wal.set_aside"_event, fmt::format(", and is set aside name={}", set_aside));
    }

    /// At start there is nothing else to do than to wait until others are done with the lock, or with the tables.
    template <class Work>
    std::invoke_result_t<Work> patiently_at_start(Work work)
    {
        const auto deadline = clock_.steady_now() + lock_patience;
        for (;;) {
            try {
                return work();
            } catch (DatabaseBusy const& error) {
                if (clock_.steady_now() >= deadline)
                    throw;
                hindrance_.met(error);
            }
            std::this_thread::sleep_for(retry_at_start);
        }
    }

    asio::awaitable<void> provision()
    {
        co_await loop_->run();
        tasks_.request_stop();
    }

    asio::awaitable<void> once()
    {
        try {
            co_await loop_->run();
        } catch (SchemaBroken const&) {
            say_what_is_damaged();
            throw;
        }
        PublishCounts const& published = loop_->total().published;
        print_line(
            stdout, std::to_string(published.settled) + " meetings settled, " + std::to_string(published.sessions) +
                        " sessions created, " + std::to_string(published.tokens) + " tokens published, " +
                        std::to_string(published.withdrawn) + " withdrawn"
        );
        say_what_is_damaged();
        say_what_is_not_ready();
        stop_everything();
    }

    void say_what_is_damaged()
    {
        for (Damage const& damage : provisioner_->damages()) {
            all_ready_ = false;
            print_line(stderr, "the contract is damaged: " + damage.sentence + "; do: " + damage.way_out);
        }
    }

    void say_what_is_not_ready()
    {
        const sys_seconds now = clock_.now();
        std::size_t count = 0;
        Report report{database_, now};
        report.each_meeting({now, provisioner_->projects().base}, [&](MeetingStanding const& meeting) {
            if (!wanted_and_not_ready(meeting.facts, now) || ++count > told_max)
                return;
            const std::string why = meeting.reason.empty() ? "the platform wrote it while usherd ended"
                                                           : meeting.reason + ": " + meeting.detail;
            print_line(stderr, meeting.id + ": not ready: " + why);
        });
        if (count > told_max)
            print_line(stderr, std::to_string(count - told_max) + " more are not ready");
        all_ready_ = all_ready_ && count == 0;
    }

    asio::awaitable<void> reload_signals()
    {
        for (;;) {
            co_await hangups_->async_wait(asio::use_awaitable);
            loop_->request_reload();
        }
    }

    /// Between two passes: the new configuration as a whole, or the old one and the reason.
    bool reload_configuration()
    {
        auto loaded = reload_();
        if (!loaded) {
            for (ConfigError const& error : loaded.error())
                log_event("config.refused"_event, fmt::format(" reason=\"{}\"", error.text()));
            return false;
        }
        if (real_path(loaded->database) != database_) {
            log_event("config.refused"_event, " reason=\"database: changes with a restart only\"");
            return false;
        }
        for (std::string const& warning : loaded->warnings)
            log_event("config.warning"_event, fmt::format("=\"{}\"", warning));
        try {
            provisioner_->configure(projects_of(*loaded, doors_of(context_.get_executor())), {loaded->base});
        } catch (std::runtime_error const& error) { // a key that cannot sign
            log_event("config.refused"_event, fmt::format(" reason=\"{}\"", error.what()));
            return false;
        }
        log_event("config.taken"_event, fmt::format(" projects={}", loaded->projects.size()));
        return true;
    }

    asio::awaitable<void> watch_clock()
    {
        const int timer = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (timer < 0)
            throw std::system_error{errno, std::generic_category(), "cannot watch the clock"};
        asio::posix::stream_descriptor steps{context_, timer};
        while (!loop_->stopping()) {
            // Set for the end of time, and cancelled by the kernel whenever the wall clock is set.
            itimerspec far{};
            far.it_value.tv_sec = std::int64_t{1} << 40;
            ::timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
            co_await steps.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            std::uint64_t expirations = 0;
            if (::read(timer, &expirations, sizeof expirations) < 0 && errno == ECANCELED) {
                log_event("clock.stepped"_event, fmt::format(" now={}", to_iso8601(clock_.now())));
                loop_->clock_was_set();
            }
        }
    }

    asio::awaitable<void> signals()
    {
        co_await stop_signals_->async_wait(asio::use_awaitable);
        hurry_readers();
        notify_stopping();
        log_event("stopping"_event, " reason=signal");
        loop_->request_stop();
        stop_signals_->async_wait([](boost::system::error_code error, int) {
            if (!error)
                stop_at_once(); // a second signal
        });
        // Everything ends in time, or has failed at the moment of the signal: then nothing more is waited for here.
        struct NoMore {
            asio::signal_set& signals;
            ~NoMore()
            {
                boost::system::error_code ignored;
                signals.cancel(ignored);
            }
        };
        const NoMore no_more{*stop_signals_};
        asio::steady_timer deadline{context_, stop_deadline};
        boost::system::error_code ended;
        co_await deadline.async_wait(asio::redirect_error(asio::use_awaitable, ended));
        if (!ended)
            stop_at_once();
    }

    /// For a signal that came when nothing waited for signals any more.
    void hurry_if_stopped()
    {
        stop_signals_->async_wait([](boost::system::error_code error, int) {
            if (!error)
                hurry_readers();
        });
        context_.restart();
        context_.poll();
    }

    [[noreturn]] static void stop_at_once()
    {
        log_event("stopped.at_once"_event, ", the batch in hand is left to the next start");
        end_log(reader_patience);
        std::_Exit(exit_could_not); // as safe as a kill -9, which the database takes
    }

    void stop_everything()
    {
        loop_->request_stop();
        maker_.request_stop();
        tasks_.request_stop();
    }

    void finish()
    {
        store_->check_after_failure(); // which may be why something failed
        if (failure_)
            std::rethrow_exception(failure_);
        loop_->log_published();
        if (!store_->finish([](std::chrono::steady_clock::duration pause) { std::this_thread::sleep_for(pause); }))
            log_event("wal.kept"_event, ", since others read in it");
    }

    /// What readers of the log, and systemd, have not taken yet; returns in how long to do so again.
    static std::optional<std::chrono::steady_clock::duration> offer_again()
    {
        std::optional<std::chrono::steady_clock::duration> again = standard_error().push();
        if (!notify_again())
            again = std::min<std::chrono::steady_clock::duration>(again.value_or(notify_retry), notify_retry);
        return again;
    }

    void announce()
    {
        notify_ready();
        log_event("ready"_event, fmt::format(" who=\"{}\"", who_));
    }

    void tell_status(std::string const& sentence)
    {
        if (sentence == status_)
            return;
        notify_status(sentence);
        status_ = sentence;
    }

    Reload reload_;
    std::string who_;
    std::string status_; // as it was told
    Hindrance hindrance_{[this](std::string const& sentence) { tell_status(sentence); }};
    SystemClock clock_;
    SystemRandom random_;
    std::string database_; // the real path
    asio::io_context context_{1};
    asio::io_context work_;                        // of the threads
    std::optional<asio::signal_set> stop_signals_; // from the moment when the tasks are there that serve them
    std::optional<asio::signal_set> hangups_;
    std::unique_ptr<Store> store_;
    SessionMaker maker_;
    std::unique_ptr<Provisioner> provisioner_; // made once the database is ours
    std::optional<MainLoop> loop_;
    WorkerThreads threads_{work_}; // after what their work refers to
    std::exception_ptr failure_;
    bool all_ready_ = true;
    TaskGroup tasks_; // last: its coroutines refer to everything above
};

} // namespace

int run_daemon(Config config, Reload reload)
{
    return App{std::move(config), std::move(reload), Engine::Mode::serve}.run();
}

int run_once(Config config)
{
    return App{std::move(config), {}, Engine::Mode::once}.run_once();
}

} // namespace usher
