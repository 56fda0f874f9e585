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
#include <usher/async/wakeup.hpp>
#include <usher/core/exit_status.hpp>
#include <usher/core/printable.hpp>
#include <usher/core/url.hpp>
#include <usher/provider/beast_transport.hpp>
#include <usher/provider/sandbox.hpp>
#include <usher/provider/vendor.hpp>
#include <usher/service/log_event.hpp>
#include <usher/service/provisioning.hpp>
#include <usher/store/backup.hpp>
#include <usher/store/change_watch.hpp>
#include <usher/store/database_files.hpp>
#include <usher/store/instance_lock.hpp>
#include <usher/store/process.hpp>
#include <usher/store/report.hpp>
#include <usher/store/store.hpp>

#include "early_signals.hpp"
#include "print_line.hpp"
#include "systemd_notify.hpp"

namespace usher {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr int worker_nice = 5;
constexpr auto slow_poll = 30s; // the last resort, should every notice be lost
constexpr auto heartbeat_interval = 1min;
constexpr std::size_t told_max = 1000; // meetings that are not ready, one by one
constexpr auto sweep_interval = 24h;   // everything is compared with everything
constexpr int sweep_rest = 4;          // times as long as each of its parts took
constexpr auto stop_deadline = 10s;    // for the batch in hand
constexpr auto call_grace = 5s;        // of that, for calls to providers that are under way
constexpr auto retry_after_busy = 1s;
constexpr auto retry_at_start = 100ms;
constexpr auto first_look = 250us;     // after a notice of a change,
constexpr auto last_look = 256ms;      // ever more slowly until here
constexpr auto look_unnoticed = 100ms; // where there are no notices
constexpr auto files_compared = 1s;    // at most so often
constexpr auto log_every = 60s;        // what repeats
constexpr auto quiet_before_empty_log = 5s;
constexpr int empty_log_tries = 20; // at the stop, beside readers
constexpr auto empty_log_pause = 50ms;
constexpr int idle_wal_pages = 100; // worth a checkpoint when there is nothing else to do

std::string this_process()
{
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return "pid " + std::to_string(::getpid()) + " on " + host.data() + ", started " + to_iso8601(SystemClock{}.now());
}

/// What makes the sessions of a project.
std::shared_ptr<Provider>
provider_of(ProjectConfig const& project, TokenSigner const& signer, seconds clock_skew, asio::any_io_executor executor)
{
    if (project.provider == "sandbox") {
        log_event(
            "project.sandbox"_event, fmt::format(" name={} meaning=\"its tokens open no real meeting\"", project.name)
        );
        return std::make_shared<SandboxProvider>(project.project_key);
    }
    ConnectionConfig const& connection = project.connection;
    TransportSettings settings;
    settings.base_url = connection.base_url;
    settings.ca_file = connection.ca_file;
    settings.connect_timeout = connection.connect_timeout;
    settings.total_timeout = connection.timeout;
    settings.proxy = connection.proxy;
    settings.idle_max = static_cast<std::size_t>(connection.concurrency);
    auto transport = BeastTransport::create(std::move(executor), std::move(settings));
    if (!transport)
        throw std::runtime_error{"projects." + project.name + ": " + transport.error()};
    const VendorHost host = project.provider == "vonage" ? VendorHost::vonage : VendorHost::opentok;
    return std::make_shared<VendorProvider>(
        host, parse_url(connection.base_url)->authority(), signer, clock_skew, std::move(*transport),
        [] { return SystemClock{}.now(); }
    );
}

std::vector<Project> projects_of(Config& config, asio::any_io_executor const& executor)
{
    std::vector<Project> projects;
    for (ProjectConfig& configured : config.projects) {
        auto signer = configured.signer();
        if (!signer)
            throw std::runtime_error{"projects." + configured.name + ": " + signer.error().message};
        Project project{{}, *signer, provider_of(configured, *signer, config.base.clock_skew, executor)};
        project.facts.name = configured.name;
        project.facts.provider = configured.provider;
        project.facts.project_key = project.signer.project_key();
        project.facts.key_id = project.signer.key_id();
        project.facts.format = configured.token_format;
        project.facts.policy = config.policy_for(configured);
        project.facts.connection_hash = configured.connection.hash();
        project.pace.concurrency = static_cast<std::size_t>(configured.connection.concurrency);
        project.pace.rate = configured.connection.rate;
        project.pace.burst = static_cast<double>(configured.connection.burst);
        projects.push_back(std::move(project));
        configured.key = Secret{{}}; // the signer has made of it what it needs
    }
    return projects;
}

/// The threads that read, plan and sign. They give way: to platforms, and to the thread that holds the write lock.
class WorkerThreads {
public:
    WorkerThreads()
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
    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
    std::vector<std::thread> threads_;
};

/// The daemon between construction and stop. Every task lives in the group, on one thread; what needs the processor is
/// done by the workers.
class App {
public:
    App(Config config, Reload reload)
        : reload_{std::move(reload)},
          database_{real_path(config.database)},
          who_{this_process()},
          lock_{database_, who_},
          store_{open_store()},
          wakeup_{clock_, context_.get_executor()},
          looks_{clock_, context_.get_executor()},
          maker_{context_.get_executor(), store_, clock_, random_, [this] { wakeup_.notify(); }},
          tasks_{context_.get_executor(), [this](std::string const& task, std::exception_ptr error) {
                     log_event("task.failed"_event, fmt::format(" name={}", task));
                     if (!failure_) // what fails after it may follow from it
                         failure_ = std::move(error);
                     stop_everything();
                 }}
    {
        const Tenure tenure =
            patiently_at_start([this] { return store_.take_over(who_, clock_.now(), clock_.steady_now()); });
        files_.emplace(config.database);
        provisioner_ = std::make_unique<Provisioner>(
            store_, clock_, random_, maker_, context_.get_executor(), threads_.workers(),
            projects_of(config, context_.get_executor()), settings_of(config.base, tenure.clock)
        );
        hurried_ = tenure.last_look > clock_.now();
        if (hurried_)
            log_event(
                "clock.stepped"_event,
                fmt::format(" back last_look={} now={}", to_iso8601(tenure.last_look), to_iso8601(clock_.now()))
            );
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
        return all_ready_ ? exit_done : exit_could_not;
    }

    int run()
    {
        watch_.emplace(database_);
        if (!watch_->problem().empty())
            log_event(
                "limit.watches"_event, fmt::format(" {} ms reason=\"{}\"", look_unnoticed.count(), watch_->problem())
            );
        tasks_.spawn("provisioning", provision());
        tasks_.spawn("sessions", maker_.run());
        tasks_.spawn("notices", read_notices());
        tasks_.spawn("changes", look_for_changes());
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

    /// What another file of this name has left in -wal is not played into this one.
    Store open_store()
    {
        bool in_doubt = false;
        {
            patiently_at_start([this] { expect_nobody_separated(); });
            const DatabaseFiles left{database_}; // closed before SQLite has any lock
            if (left.has_other_names())
                throw DatabaseError{
                    database_ +
                    ": has another name too (a hard link), beside which SQLite would keep another -wal: "
                    "remove one of the two, find them with: find -samefile " +
                    shell_word(database_)};
            if (left.log_is_foreign(lock_.note()))
                set_aside(left);
            else
                in_doubt = left.written_after_log();
        }
        if (in_doubt && patiently_at_start([this] { return log_does_not_fit(database_); }))
            set_aside(DatabaseFiles{database_});
        return patiently_at_start([this] { return Store::open(database_); });
    }

    /// Who has the database open through what was removed writes over what we would, and we over theirs.
    void expect_nobody_separated() const
    {
        if (const auto user = DatabaseFiles{database_}.user_of_separated(lock_.note()))
            throw DatabaseBusy{
                database_ + ": " + *user +
                " has it open since before its -wal or -shm was removed or cut; end or restart that program"};
    }

    static void set_aside(DatabaseFiles const& files)
    {
        log_event("wal.set_aside"_event, fmt::format(", and is set aside name={}", files.set_log_aside()));
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
                hinder(error);
            }
            std::this_thread::sleep_for(retry_at_start);
        }
    }

    /// Others keep us from working: told once, however often it is tried again.
    void hinder(DatabaseBusy const& error)
    {
        const bool broken = dynamic_cast<SchemaBroken const*>(&error) != nullptr;
        const LogEventNo event = broken ? "schema.incomplete"_event : "store.busy"_event;
        if (hindered_ == event)
            return;
        log_event(event, fmt::format(" reason=\"{}\"", error.what()));
        tell_status("waiting: " + std::string{error.what()});
        hindered_ = event;
    }

    void go_on()
    {
        if (std::exchange(hindered_, std::nullopt))
            log_event("store.free"_event);
    }

    /// Runs `work` until it ends otherwise than by DatabaseBusy: a lock that is held by others for too long is a reason
    /// to wait, not to fail. Tables that are missing are waited for only for as long as at the start. Gives up, with
    /// nothing done, when a stop is requested.
    template <class T>
    asio::awaitable<T> patiently(std::function<asio::awaitable<T>()> work)
    {
        std::optional<std::chrono::steady_clock::time_point> deadline;
        for (;;) {
            try {
                if constexpr (std::is_void_v<T>) {
                    co_await work();
                    go_on();
                    co_return;
                } else {
                    T result = co_await work();
                    go_on();
                    co_return result;
                }
            } catch (SchemaBroken const& error) {
                if (!deadline)
                    deadline = clock_.steady_now() + lock_patience;
                if (clock_.steady_now() >= *deadline)
                    throw;
                hinder(error);
            } catch (DatabaseBusy const& error) {
                hinder(error);
            }
            co_await clock_.wait(retry_after_busy);
            if (stopping_)
                co_return T();
        }
    }

    asio::awaitable<PassResult> settle()
    {
        std::function<asio::awaitable<PassResult>()> work = [this] { return provisioner_->settle(); };
        return patiently<PassResult>(std::move(work));
    }

    asio::awaitable<void> find_stale()
    {
        std::function<asio::awaitable<void>()> work = [this] { return provisioner_->find_stale(); };
        return patiently<void>(std::move(work));
    }

    asio::awaitable<bool> sweep()
    {
        std::function<asio::awaitable<bool>()> work = [this] { return provisioner_->sweep(); };
        return patiently<bool>(std::move(work));
    }

    asio::awaitable<void> sweep_all()
    {
        for (bool more = true; more && !stopping_;)
            more = co_await sweep();
        swept_ = true;
        wakeup_.notify();
    }

    void start_sweep_all()
    {
        swept_ = false;
        provisioner_->start_sweep();
        tasks_.spawn("sweep", sweep_all());
    }

    asio::awaitable<void> once()
    {
        co_await find_stale();
        start_sweep_all();
        PassResult result;
        bool may_sweep_again = true; // one time only: a row that cannot be read may come back without end
        for (bool over = false; !stopping_ && !over;) {
            const auto alone = [this] { return swept_ && !maker_.busy(); };
            const bool was_alone = alone();
            const PassResult pass = co_await settle();
            log(pass);
            result += pass;
            over = was_alone && pass.looked_at == 0; // else sessions may have been made meanwhile
            if (over && may_sweep_again && provisioner_->take_sweep_wish()) {
                start_sweep_all();
                over = may_sweep_again = false;
            }
            if (!over && !alone())
                co_await wakeup_.wait(slow_poll);
        }
        print_line(
            stdout, std::to_string(result.published.settled) + " meetings settled, " +
                        std::to_string(result.published.sessions) + " sessions created, " +
                        std::to_string(result.published.tokens) + " tokens published, " +
                        std::to_string(result.published.withdrawn) + " withdrawn"
        );
        for (Damage const& damage : provisioner_->damages()) {
            all_ready_ = false;
            print_line(stderr, "the contract is damaged: " + damage.sentence + "; do: " + damage.way_out);
        }
        say_what_is_not_ready();
        co_await maker_.drain(call_grace); // after a signal; else nothing is under way
        stop_everything();
    }

    void say_what_is_not_ready()
    {
        const sys_seconds now = clock_.now();
        std::size_t count = 0;
        Report{database_, now}.each_meeting({now, provisioner_->projects().base}, [&](MeetingStanding const& meeting) {
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

    /// Has `usher_status` say that somebody is at work, also while there is nothing to do.
    void beat()
    {
        const auto steady = clock_.steady_now();
        if (beaten_ && steady - *beaten_ < heartbeat_interval && !store_.holds_older_rows())
            return;
        try {
            provisioner_->beat();
            beaten_ = steady;
        } catch (DatabaseBusy const&) {
            // whoever holds the lock lets go; the next round tries again
        }
    }

    asio::awaitable<void> provision()
    {
        while (!stopping_) {
            std::chrono::steady_clock::duration wait = retry_after_busy;
            try {
                wait = co_await work();
                go_on();
            } catch (DatabaseBusy const& error) { // nothing is lost: what is due stays so in the rows
                hinder(error);
            }
            if (stopping_)
                break;
            spdlog::default_logger()->flush(); // lines that were held back
            co_await wakeup_.wait(wait);
        }
        co_await maker_.drain(call_grace);
        tasks_.request_stop();
    }

    /// What there is to do now; returns for how long there is nothing.
    asio::awaitable<std::chrono::steady_clock::duration> work()
    {
        leave_if_replaced();
        const auto inspect_at = provisioner_->inspect_again_at();
        if (const auto version = store_.schema_version();
            version != schema_ || (inspect_at && clock_.steady_now() >= *inspect_at)) {
            co_await provisioner_->find_stale(); // puts back what was lost
            sweep_wanted_ = true;
            schema_ = version;
        }
        const PassResult result = co_await provisioner_->settle();
        log(result);
        if (stopping_)
            co_return 0s;
        if (reload_wanted_) {
            reload_wanted_ = false;
            if (reload())
                schema_.reset(); // everything is looked through again
            co_return 0s;
        }
        if (std::exchange(clock_was_set_, false)) {
            schema_.reset(); // what was decided in what is the future now
            co_return 0s;
        }
        provisioner_->keep_doors();
        beat();
        const auto now = clock_.steady_now();
        if (result.looked_at > 0) {
            worked_at_ = now;
            file_note_.clear(); // what was written may be in the file already, with none of it left in the WAL
        }
        const bool quiet = now - worked_at_ >= quiet_before_empty_log;
        if (quiet && store_.wal_pages() > 0)
            leave_if_overwritten(); // what is moved now would go into the other file
        if (store_.wal_pages() >= idle_wal_pages || (quiet && store_.wal_pages() > 0))
            store_.checkpoint(Store::Checkpoint::passive);
        if (quiet &&
            store_.wal_pages() > 0) { // what is in no WAL cannot be played into a file that is put in its place
            file_note_.clear();
            store_.checkpoint(Store::Checkpoint::truncate);
            take_note_of_file(store_.data_version()); // at once: what is written before it is taken for the file's own
        }
        if (!ready_) {
            notify_ready();
            log_event("ready"_event, fmt::format(" who=\"{}\"", who_));
            ready_ = true;
        }
        if (const std::string note = files_->note(lock_.note()); !note.empty())
            lock_.leave_note(note);
        if (sweep_wanted_ || clock_.steady_now() - swept_at_ >= sweep_interval) {
            sweep_wanted_ = false;
            swept_at_ = clock_.steady_now();
            provisioner_->start_sweep();
            sweeping_ = true;
        }
        std::chrono::steady_clock::duration wait = slow_poll;
        if (sweeping_) { // beside the passes, for a part of the time
            const auto started = clock_.steady_now();
            sweeping_ = co_await provisioner_->sweep();
            wait = hurried_ ? 0s : sweep_rest * (clock_.steady_now() - started);
            hurried_ = hurried_ && sweeping_;
        }
        take_note_of_file(store_.data_version());
        if (store_.schema_version() != schema_)
            co_return 0s;
        const std::optional<sys_seconds> due = store_.next_due();
        if (due)
            wait = std::clamp<std::chrono::steady_clock::duration>(*due - clock_.now(), 0s, wait);
        if (result.looked_at == 0)
            wait = std::max(wait, provisioner_->rest());
        if (provisioner_->take_sweep_wish()) {
            sweep_wanted_ = true;
            co_return 0s;
        }
        if (store_.wal_pages() > 0)
            wait = std::min<decltype(wait)>(wait, quiet_before_empty_log);
        tell_status("nothing due; next " + (due ? to_iso8601(*due) : std::string{"when a platform writes"}));
        co_return wait;
    }

    asio::awaitable<void> read_notices()
    {
        if (!watch_->problem().empty())
            co_return;
        const int copy = ::dup(watch_->descriptor()); // the descriptor is the watch's; Asio closes this one
        if (copy < 0)
            throw std::system_error{errno, std::generic_category(), "cannot watch the database"};
        asio::posix::stream_descriptor notices{context_, copy};
        while (!stopping_) {
            co_await notices.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            const ChangeWatch::Notices seen = watch_->drain();
            file_noticed_ = file_noticed_ || seen.database;
            if (seen.database || seen.log)
                looks_.notify();
        }
    }

    /// The WAL is written before the commit is visible, so it is looked again after a notice, ever more slowly; a new
    /// notice is looked after at once.
    asio::awaitable<void> look_for_changes()
    {
        const std::chrono::steady_clock::duration quiet =
            watch_->problem().empty() ? std::chrono::steady_clock::duration{slow_poll} : look_unnoticed;
        std::chrono::steady_clock::duration delay = quiet;
        while (!stopping_) {
            const bool noticed = co_await looks_.wait(file_noticed_ ? std::min<decltype(delay)>(delay, 1s) : delay);
            leave_if_replaced();
            if (changed()) {
                wakeup_.notify();
                delay = quiet;
            } else {
                delay = noticed ? first_look : delay < last_look ? 2 * delay : quiet;
            }
        }
    }

    bool changed() const
    {
        try {
            return store_.data_version() != seen_version_;
        } catch (DatabaseBusy const&) { // then somebody is at work on it
            return true;
        }
    }

    /// Ends the daemon when the database is another one now; the next start works on that.
    void leave_if_replaced()
    {
        leave_if_left();
        if (files_->replaced()) {
            // What is in -wal belongs to the file that was here. It is moved there, wherever that one is now, and must
            // not be played into the new one.
            store_.checkpoint(Store::Checkpoint::passive);
            store_.checkpoint(Store::Checkpoint::truncate);
            files_->remove_log();
            leave(": the database file was replaced by another, or taken away; the next start works on the one that is "
                  "there then");
        }
        leave_if_log_is_lost();
        const auto now = clock_.steady_now();
        const bool look = file_noticed_ || !watch_->problem().empty();
        if (!look || now - files_compared_at_ < files_compared)
            return;
        file_noticed_ = false;
        files_compared_at_ = now;
        leave_if_overwritten();
    }

    /// Ends the daemon when somebody took -wal or -shm away, or cut them: others who open the database then see nothing
    /// of what we commit, and we nothing of theirs. As much is saved as can be without touching what others do. The
    /// next start waits for those who have the database open as it was.
    void leave_if_log_is_lost()
    {
        using LogFault = DatabaseFiles::LogFault;
        leave_if_left();
        const LogFault fault = files_->log_fault();
        if (fault == LogFault::none)
            return;
        if (fault == LogFault::removed)
            store_.checkpoint(Store::Checkpoint::passive);
        if (fault == LogFault::used)
            files_->put_log_back();
        lock_.leave_note(files_->separate());
        const std::string what = fault == LogFault::cut || fault == LogFault::emptied ? "cut" : "removed";
        const std::string others = "others wrote beside it, and some of what they committed may be lost";
        leave(
            ": its -wal or -shm was " + what + " while it was in use; " +
            (fault == LogFault::cut                                  ? "what was committed last may be lost"
             : fault == LogFault::used || fault == LogFault::divided ? others
                                                                     : "all that was committed is kept") +
            "; restart all programs that had it open"
        );
    }

    /// Another task has seen it first: what there was to save is saved, and the files are not what they were.
    void leave_if_left() const
    {
        if (files_left_)
            std::rethrow_exception(failure_);
    }

    /// What fails beside it follows from it.
    [[noreturn]] void leave(std::string const& why)
    {
        files_left_ = true;
        failure_ = std::make_exception_ptr(DatabaseError{database_ + why});
        std::rethrow_exception(failure_);
    }

    /// What anybody has committed since the last note may have changed the file; nothing else does.
    void take_note_of_file(std::int64_t version)
    {
        if (version != seen_version_ || store_.wal_pages() > 0)
            file_note_.clear();
        seen_version_ = version;
        if (file_note_.empty() && store_.wal_pages() == 0)
            file_note_ = files_->note_without_log();
    }

    void leave_if_overwritten()
    {
        leave_if_left();
        const auto nothing_committed = [&] { return store_.wal_pages() == 0 && !changed(); };
        if (!file_note_.empty() && nothing_committed()) {
            const std::string now = files_->note_without_log();
            if (!now.empty() && now != file_note_ && nothing_committed())
                leave(": the database file was overwritten; the next start works on what is there now");
        }
        if (files_->log_is_foreign(lock_.note()))
            leave(
                ": the database file was overwritten; what its -wal had for the former contents is in " +
                files_->set_log_aside() + "; the next start works on what is there now"
            );
    }

    asio::awaitable<void> reload_signals()
    {
        for (;;) {
            co_await hangups_->async_wait(asio::use_awaitable);
            reload_wanted_ = true;
            provisioner_->request_pause();
            wakeup_.notify();
        }
    }

    /// Between two passes: the new configuration as a whole, or the old one and the reason.
    bool reload()
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
            provisioner_->configure(projects_of(*loaded, context_.get_executor()), {loaded->base});
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
        while (!stopping_) {
            // Set for the end of time, and cancelled by the kernel whenever the wall clock is set.
            itimerspec far{};
            far.it_value.tv_sec = std::int64_t{1} << 40;
            ::timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
            co_await steps.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            std::uint64_t expirations = 0;
            if (::read(timer, &expirations, sizeof expirations) < 0 && errno == ECANCELED) {
                log_event("clock.stepped"_event, fmt::format(" now={}", to_iso8601(clock_.now())));
                clock_was_set_ = sweep_wanted_ = hurried_ = true; // tokens may be from the future now
                wakeup_.notify();
            }
        }
    }

    asio::awaitable<void> signals()
    {
        co_await stop_signals_->async_wait(asio::use_awaitable);
        notify_stopping();
        log_event("stopping"_event, " reason=signal");
        stopping_ = true;
        provisioner_->request_stop();
        wakeup_.notify();
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

    [[noreturn]] static void stop_at_once()
    {
        log_event("stopped.at_once"_event, ", the batch in hand is left to the next start");
        spdlog::shutdown();
        std::_Exit(exit_could_not); // as safe as a kill -9, which the database takes
    }

    void stop_everything()
    {
        stopping_ = true;
        if (provisioner_)
            provisioner_->request_stop();
        maker_.request_stop();
        wakeup_.notify();
        tasks_.request_stop();
    }

    void finish()
    {
        leave_if_log_is_lost(); // which may be why something failed
        if (failure_)
            std::rethrow_exception(failure_);
        log_published();
        // A WAL that is left over would be played into a backup that somebody puts in its place. Whoever still reads in
        // it is waited for with no lock in our hands.
        store_.checkpoint(Store::Checkpoint::passive);
        for (int tries = 1; !store_.checkpoint(Store::Checkpoint::truncate); ++tries) {
            if (tries == empty_log_tries) {
                log_event("wal.kept"_event, ", since others read in it");
                return;
            }
            std::this_thread::sleep_for(empty_log_pause);
        }
    }

    /// The first pass is told at once, those after it together, once a minute.
    void log(PassResult const& result)
    {
        unlogged_ += result;
        if (unlogged_.looked_at > 0 && clock_.steady_now() >= log_again_)
            log_published();
    }

    void log_published()
    {
        if (unlogged_.looked_at == 0)
            return;
        log_event(
            "pass.done"_event,
            fmt::format(
                " tokens={} withdrawn={} sessions={} meetings={} skipped={}", unlogged_.published.tokens,
                unlogged_.published.withdrawn, unlogged_.published.sessions, unlogged_.published.settled,
                unlogged_.published.skipped
            )
        );
        unlogged_ = {};
        log_again_ = clock_.steady_now() + log_every;
    }

    void tell_status(std::string const& sentence)
    {
        if (sentence == status_)
            return;
        notify_status(sentence);
        status_ = sentence;
    }

    Reload reload_;
    std::string database_; // its real path
    std::string who_;
    std::optional<LogEventNo> hindered_; // by what, as it was told
    std::string status_;                 // as it was told
    InstanceLock lock_;
    asio::io_context context_{1};
    std::optional<asio::signal_set> stop_signals_; // from the moment when the tasks are there that serve them
    std::optional<asio::signal_set> hangups_;
    SystemClock clock_;
    SystemRandom random_;
    std::optional<DatabaseFiles> files_; // closed after all connections
    Store store_;
    std::optional<ChangeWatch> watch_; // once has nothing to wait for
    Wakeup wakeup_;
    Wakeup looks_;
    SessionMaker maker_;
    std::unique_ptr<Provisioner> provisioner_; // made once the epoch is ours
    WorkerThreads threads_;                    // after what their work refers to
    std::exception_ptr failure_;
    PassResult unlogged_;
    std::chrono::steady_clock::time_point log_again_{};
    std::chrono::steady_clock::time_point files_compared_at_{};
    std::chrono::steady_clock::time_point worked_at_{};
    std::chrono::steady_clock::time_point swept_at_ = clock_.steady_now();
    std::optional<std::int64_t> schema_; // the version that was looked through
    std::int64_t seen_version_ = 0;
    bool file_noticed_ = false; // the database was written to
    std::string file_note_;     // of it as it is while its -wal is empty
    bool files_left_ = false;   // somebody changed the files under us: this ends for no other reason
    bool ready_ = false;
    bool sweeping_ = false;
    bool stopping_ = false;
    bool reload_wanted_ = false;
    bool sweep_wanted_ = false;
    bool swept_ = false; // all of it, once
    bool clock_was_set_ = false;
    bool hurried_ = false; // the sweep takes no rests
    bool all_ready_ = true;
    std::optional<std::chrono::steady_clock::time_point> beaten_; // the last heartbeat
    TaskGroup tasks_;                                             // last: its coroutines refer to everything above
};

} // namespace

int run_daemon(Config config, Reload reload)
{
    return App{std::move(config), std::move(reload)}.run();
}

int run_once(Config config)
{
    return App{std::move(config), {}}.run_once();
}

} // namespace usher
