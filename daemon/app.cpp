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

#include <usher/async/clock.hpp>
#include <usher/async/task_group.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/core/printable.hpp>
#include <usher/provider/beast_transport.hpp>
#include <usher/provider/kind.hpp>
#include <usher/service/engine.hpp>
#include <usher/service/log_event.hpp>
#include <usher/service/main_loop.hpp>
#include <usher/service/metrics.hpp>
#include <usher/service/provisioning.hpp>
#include <usher/store/database.hpp>
#include <usher/store/make_store.hpp>
#include <usher/store/process.hpp>
#include <usher/store/report.hpp>
#include <usher/store/store.hpp>

#include "early_signals.hpp"
#include "findings.hpp"
#include "http_server.hpp"
#include "line_writer.hpp"
#include "log_setup.hpp"
#include "planned_work.hpp"
#include "print_line.hpp"
#include "projects.hpp"
#include "reload_verdict.hpp"
#include "sample.hpp"
#include "status_pages.hpp"
#include "systemd_notify.hpp"

namespace usher {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr std::size_t told_max = 1000; // meetings that are not ready, one by one
constexpr auto stop_deadline = 10s;    // for the batch in hand
constexpr auto retry_at_start = 100ms;
constexpr auto notify_retry = 1s; // while systemd does not read
constexpr auto fed_at_least = 15s;
constexpr auto slow_start = 30s; // of which systemd is told while others hold us up
constexpr auto fresh_sample = 5s;

std::string this_process()
{
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return "pid " + std::to_string(::getpid()) + " on " + host.data() + ", started " + to_iso8601(SystemClock{}.now());
}

std::string needs_restart(std::string const& key)
{
    return key + ": " + std::string{with_restart_only} + ": systemctl restart usher";
}

std::string sentence_of(std::exception_ptr const& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (std::exception const& error) {
        return error.what();
    }
}

/// What providers see of the world: this machine's clock, and its network by way of `executor`.
ProviderDoors doors_of(asio::any_io_executor const& executor)
{
    return {
        [] { return SystemClock{}.now(); },
        [executor](TransportSettings settings) { return BeastTransport::create(executor, std::move(settings)); }};
}

/// The threads that read, plan and sign.
class WorkerThreads {
public:
    explicit WorkerThreads(asio::io_context& context) : context_{context}, guard_{context.get_executor()}
    {
        const std::size_t count = std::max(1U, std::thread::hardware_concurrency());
        try {
            while (threads_.size() < count)
                threads_.emplace_back([this] {
                    take_no_signals_in_this_thread();
                    context_.run();
                });
        } catch (std::system_error const& error) { // a limit on threads
            if (threads_.empty())
                throw;
            log_event(
                "limit.threads"_event, {{"threads", threads_.size()},
                                        {"processors", count},
                                        {"reason", error.what() + way_out_of(error.code().value())}}
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
          status_config_{config.status},
          store_{make_store(config.database, who_, clock_, context_.get_executor(), work_.get_executor())},
          maker_{context_.get_executor(), *store_, clock_, random_, [this] { loop_->wake(); }},
          tasks_{context_.get_executor(), [this](std::string const& task, std::exception_ptr error) {
                     log_event("task.failed"_event, {{"task", task}, {"reason", sentence_of(error)}});
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
        provisioner_->watch(metrics_, [this] { progressed("publish"); });
        store_->watch_writes([this](auto waited, auto held) { metrics_.wrote(waited, held); });
        maker_.count_in(metrics_);
        know(config);
        const bool clock_went_back = tenure.last_look > clock_.now();
        if (clock_went_back)
            log_event("clock.stepped"_event, {{"last_look", tenure.last_look}, {"now", clock_.now()}});
        const MainLoop::Parts parts{*store_, *provisioner_, maker_, clock_, hindrance_};
        MainLoop::Doors doors{
            [this] { return reload_configuration(); },
            [this] { announce(); },
            [this](std::string const& sentence) { tell_status(sentence); },
            &App::offer_again,
            [this](std::string_view step) { progressed(step); },
            [this](std::chrono::steady_clock::duration took, bool urgent) { metrics_.reacted(took, urgent); }};
        MainLoop::Rhythm rhythm;
        if (watchdog_) // which hears of nothing while the loop waits
            rhythm.wait_max = std::min<std::chrono::steady_clock::duration>(rhythm.wait_max, *watchdog_ / 3);
        loop_.emplace(parts, context_.get_executor(), mode, clock_went_back, std::move(doors), rhythm);
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
            log_event("limit.watches"_event, {{"every_ms", slow->every.count()}, {"reason", slow->reason}});
        tasks_.spawn("provisioning", provision());
        tasks_.spawn("sessions", maker_.run());
        tasks_.spawn("changes", loop_->look_for_changes());
        tasks_.spawn("clock", watch_clock());
        tasks_.spawn("signals", signals());
        tasks_.spawn("reload", reload_signals());
        serve_status();
        notify_ready(); // the backlog may take long, and is no reason to hold up what starts after us
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
            log_event("wal.set_aside"_event, {{"name", set_aside}});
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
            notify_slow_start(slow_start);
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
        const Viewpoint view{now, provisioner_->projects().base};
        const Report report{database_, now};
        report.each_meeting(view, [&](MeetingStanding const& meeting) {
            const bool is_told = wanted_and_not_ready(meeting.facts, now) || makes_verdict(meeting.facts, now);
            if (!is_told || ++count > told_max)
                return;
            const std::string why = meeting.reason.empty() ? "the platform wrote it while usherd ended"
                                                           : meeting.reason + ": " + meeting.detail;
            print_line(stderr, shown_id(meeting.id) + ": not ready: " + why);
        });
        if (count > told_max)
            print_line(stderr, std::to_string(count - told_max) + " more are not ready");
        const Listing<ProblemReport> people = report.status(view).not_served;
        for (ProblemReport const& person : people.items)
            print_line(
                stderr, shown_id(person.meeting_id) + ": " + shown_id(person.participant_id) +
                            " is not served: " + person.reason + ": " + person.detail
            );
        if (people.total > people.items.size())
            print_line(stderr, std::to_string(people.total - people.items.size()) + " more people are not served");
        all_ready_ = all_ready_ && count == 0 && people.total == 0;
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
        notify_reloading();
        std::vector<std::string> refusal = take_configuration();
        for (std::string const& error : refusal)
            log_event("config.refused"_event, {{"reason", error}});
        metrics_.configuration_reloaded(refusal.empty());
        leave_reload_verdict(database_, refusal);
        const bool taken = refusal.empty();
        refused_reload_ = taken ? std::string{} : std::move(refusal.front());
        (taken ? configured_at_ : refused_at_) = clock_.now();
        if (sampler_)
            sampler_->somebody_looks();
        show_status();
        notify_ready();
        return taken;
    }

    /// Why it was not, a line each.
    std::vector<std::string> take_configuration()
    {
        auto loaded = reload_();
        if (!loaded) {
            std::vector<std::string> errors;
            for (ConfigError const& error : loaded.error())
                errors.push_back(error.text());
            return errors;
        }
        if (real_path(loaded->database) != database_)
            return {needs_restart("database")};
        if (loaded->status != status_config_)
            return {needs_restart("status")};
        for (std::string const& warning : loaded->warnings)
            log_event("config.warning"_event, {{"detail", warning}});
        try {
            provisioner_->configure(projects_of(*loaded, doors_of(context_.get_executor())), {loaded->base});
        } catch (std::runtime_error const& error) { // a key that cannot sign
            return {error.what()};
        }
        know(*loaded);
        set_up_log(loaded->log); // last: nothing can be refused any more
        log_event(
            "config.taken"_event, {{"projects", loaded->projects.size()},
                                   {"log_level", to_text(loaded->log.level)},
                                   {"log_format", to_text(loaded->log.format)}}
        );
        return {};
    }

    void know(Config const& config)
    {
        project_names_.clear();
        call_rates_.clear();
        pretending_projects_.clear();
        for (ProjectConfig const& project : config.projects) {
            project_names_.push_back(project.name);
            if (project.kind->orders_sessions)
                call_rates_.emplace(project.name, static_cast<double>(project.settings.number("rate")));
            if (project.kind->pretends)
                pretending_projects_.push_back(project.name);
        }
        metrics_.know_projects(project_names_);
    }

    /// Samples are taken where somebody is told of them.
    void serve_status()
    {
        const bool serves = status_config_.listen.has_value();
        if (!serves && !is_notified())
            return;
        sampler_.emplace(
            Sampler::Parts{clock_, metrics_, context_.get_executor(), threads_.workers()}, database_,
            [this] {
                const sys_seconds now = clock_.now();
                return Viewpoint{now, provisioner_->projects().base, true, openings_.counted_to().value_or(now)};
            },
            [this](std::shared_ptr<Sample const> const& sample) {
                sample_ = sample;
                metrics_.meetings_opened(openings_.look(sample->at, sample->report.openings));
                show_status();
            }
        );
        if (serves) {
            pages_.emplace(
                status_config_, metrics_, [this] { return status_facts(); }, [this] { return nonce(); }
            );
            server_.emplace(context_.get_executor(), *status_config_.listen, [this](PageRequest const& request) {
                return pages_->answer(request);
            });
            tasks_.spawn("status", server_->serve());
            counter_.emplace(
                WorkCounter::Parts{clock_, metrics_, context_.get_executor(), threads_.workers()}, database_,
                [this] {
                    return WorkCounter::Known{clock_.now(), provisioner_->projects(), call_rates_};
                },
                [this](std::shared_ptr<PlannedWork const> const& planned) { planned_ = planned; }
            );
            tasks_.spawn("planned work", counter_->run());
        }
        tasks_.spawn("sample", sampler_->run());
    }

    DaemonFacts daemon_facts() const { return {clock_.now(), refused_reload_, refused_at_, pretending_projects_}; }

    StatusFacts status_facts()
    {
        StatusFacts facts;
        const auto now = clock_.steady_now();
        facts.daemon = daemon_facts();
        facts.sample = sample_;
        facts.sample_age = sample_ ? now - sample_->taken : std::chrono::steady_clock::duration{};
        facts.progress_age = now - progress_;
        facts.step = step_;
        facts.progress_at = progress_at_;
        facts.configured_at = configured_at_;
        facts.last_reload_taken = refused_reload_.empty();
        facts.projects = project_names_;
        facts.call_rates = call_rates_;
        facts.sessions_ordered = maker_.waiting();
        facts.planned = planned_;
        facts.log = log_counts();
        if (!sample_ || facts.sample_age >= fresh_sample)
            sampler_->somebody_looks();
        return facts;
    }

    /// That nobody can guess.
    std::string nonce() { return std::to_string(random_.next()) + "-" + std::to_string(random_.next()); }

    /// Something got done, so the process does not hang. The watchdog hears of it from here alone.
    void progressed(std::string_view step)
    {
        progress_ = clock_.steady_now();
        progress_at_ = clock_.now();
        step_ = step;
        if (sampler_ && step == to_text(Engine::Step::settle) && (!sample_ || sample_->verdict != Verdict::all_well))
            sampler_->somebody_looks(); // it may be over now
        if (!watchdog_ || progress_ - fed_ < std::min<std::chrono::microseconds>(*watchdog_ / 4, fed_at_least))
            return;
        fed_ = progress_;
        notify_watchdog();
    }

    /// By how much the wall clock is ahead of the steady one.
    std::chrono::nanoseconds wall_offset() const
    {
        return clock_.now().time_since_epoch() - clock_.steady_now().time_since_epoch();
    }

    asio::awaitable<void> watch_clock()
    {
        const int timer = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (timer < 0)
            throw std::system_error{errno, std::generic_category(), "cannot watch the clock"};
        asio::posix::stream_descriptor steps{context_, timer};
        while (!loop_->stopping()) {
            // Set for the end of time, and cancelled by the kernel whenever the wall clock is set.
            const auto offset = wall_offset();
            itimerspec far{};
            far.it_value.tv_sec = std::int64_t{1} << 40;
            ::timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
            co_await steps.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            std::uint64_t expirations = 0;
            if (::read(timer, &expirations, sizeof expirations) < 0 && errno == ECANCELED) {
                log_event("clock.stepped"_event, {{"now", clock_.now()}});
                metrics_.clock_stepped(wall_offset() < offset);
                loop_->clock_was_set();
                if (sampler_)
                    sampler_->somebody_looks();
            }
        }
    }

    asio::awaitable<void> signals()
    {
        co_await stop_signals_->async_wait(asio::use_awaitable);
        hurry_readers();
        notify_stopping();
        log_event("stopping"_event, {{"reason", "signal"}});
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
        log_event("stopped.at_once"_event);
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
            log_event("wal.kept"_event);
    }

    /// What readers of the log, and systemd, have not taken yet; returns in how long to do so again.
    static std::optional<std::chrono::steady_clock::duration> offer_again()
    {
        std::optional<std::chrono::steady_clock::duration> again = push_log();
        if (!notify_again())
            again = std::min<std::chrono::steady_clock::duration>(again.value_or(notify_retry), notify_retry);
        return again;
    }

    void announce() { log_event("ready"_event, {{"who", who_}}); }

    /// What the engine says is shown while others hold it up, and before there is a sample.
    void tell_status(std::string const& sentence)
    {
        engine_sentence_ = sentence;
        show_status();
    }

    void show_status()
    {
        const bool by_sample = sample_ && !hindrance_.lasts();
        std::string sentence = by_sample ? status_sentence(*sample_, daemon_facts()) : engine_sentence_;
        if (sentence == status_)
            return;
        notify_status(sentence);
        status_ = std::move(sentence);
    }

    Reload reload_;
    std::string who_;
    std::string status_; // as it was told
    std::string engine_sentence_;
    Hindrance hindrance_{[this](std::string const& sentence) { tell_status(sentence); }};
    SystemClock clock_;
    SystemRandom random_;
    std::string database_; // the real path
    StatusConfig status_config_;
    std::vector<std::string> project_names_;
    CallRates call_rates_;
    std::vector<std::string> pretending_projects_;
    std::string refused_reload_; // why, while the last one was
    sys_seconds refused_at_{};
    sys_seconds configured_at_ = clock_.now();
    std::string step_ = "start"; // the last that got something done, and when:
    std::chrono::steady_clock::time_point progress_ = clock_.steady_now();
    sys_seconds progress_at_ = clock_.now();
    std::optional<std::chrono::microseconds> watchdog_ = watchdog_interval();
    std::chrono::steady_clock::time_point fed_{};
    Metrics metrics_; // before all that counts
    asio::io_context context_{1};
    asio::io_context work_;                        // of the threads
    std::optional<asio::signal_set> stop_signals_; // from the moment when the tasks are there that serve them
    std::optional<asio::signal_set> hangups_;
    std::unique_ptr<Store> store_;
    SessionMaker maker_;
    std::unique_ptr<Provisioner> provisioner_; // made once the database is ours
    std::optional<MainLoop> loop_;
    WorkerThreads threads_{work_}; // after what their work refers to
    Openings openings_;
    std::shared_ptr<Sample const> sample_;
    std::optional<Sampler> sampler_;
    std::shared_ptr<PlannedWork const> planned_;
    std::optional<WorkCounter> counter_;
    std::optional<StatusPages> pages_;
    std::optional<HttpServer> server_;
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
