// SPDX-License-Identifier: Apache-2.0
#include <usher/service/provisioning.hpp>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <usher/core/printable.hpp>
#include <usher/service/log_event.hpp>

namespace usher {

namespace {

using SteadyClock = std::chrono::steady_clock;

// One batch is published while the next is signed and the one after it is read.
constexpr std::size_t batches_max = 3;
// What a change of an urgent meeting may have to wait for.
constexpr auto batch_goal = std::chrono::milliseconds{60};
constexpr std::size_t batch_participants_min = 128;
constexpr std::size_t chunk_rows = 500;
constexpr std::size_t outdated_together = 500;   // rows in one transaction
constexpr std::size_t sweep_participants = 1000; // what an edit may have to wait for while a sweep goes on
constexpr std::size_t renumbered_together = 200; // meetings in one transaction
constexpr auto long_wait = std::chrono::hours{1};
constexpr auto inspect_again_after = std::chrono::minutes{1};

/// Whether the meeting was planned under another configuration, or in what has become the future.
bool is_stale(Store::AgendaEntry const& entry, Projects const& projects, sys_seconds now)
{
    if (entry.settled_at > now)
        return true;
    if ((entry.state == State::cancelled || entry.state == State::waiting) && entry.policy_hash == 0)
        return false; // one that is deleted, or not there yet, has no project
    return std::none_of(projects.by_name.begin(), projects.by_name.end(), [&](auto const& project) {
        return project.second.policy_hash == entry.policy_hash;
    });
}

/// Whether nothing is to be written, not even what its row shows of it.
bool is_as_planned(MeetingSnapshot const& meeting, Plan const& planned)
{
    return !planned.has_work() && planned.state == meeting.state && planned.reason == meeting.reason &&
           planned.opens == meeting.opens && planned.closes == meeting.closes;
}

/// Whether there is something to do, now or before the meeting would be due again.
bool is_overlooked(MeetingSnapshot const& meeting, Plan const& planned)
{
    return meeting.is_unreadable || meeting.has_foreign_session || meeting.has_unreadable_rows ||
           !is_as_planned(meeting, planned) || (planned.due && unix_seconds(*planned.due) < meeting.due_at);
}

} // namespace

/// Meetings on their way from the rows to the view.
struct Provisioner::Batch {
    explicit Batch(std::unique_ptr<StoreReader> with) : reader{std::move(with)} {}

    std::unique_ptr<StoreReader> reader;
    std::vector<MeetingNo> wanted;
    std::vector<MeetingNo> unread; ///< Of these, what would have been too much.
    std::vector<MeetingNo> unreadable;
    std::vector<std::pair<MeetingNo, std::string>> damaged; ///< With the reason.
    std::size_t participants_max = 0;
    bool keeps_place = false; ///< Urgent, or overtaken once.
    SteadyClock::time_point started;
    Seen seen; ///< Before they were read.
    sys_seconds now;
    Projects projects;

    // From here on all are by meeting, those that are needed first coming first.
    std::vector<MeetingSnapshot> meetings;
    std::vector<Plan> plans;
    std::vector<std::optional<SessionRow>> sessions; ///< What tokens are signed for.
    std::vector<std::vector<SignedToken>> tokens;

    bool done = false;
    std::exception_ptr error;
};

PassResult& PassResult::operator+=(PassResult const& other)
{
    looked_at += other.looked_at;
    published += other.published;
    return *this;
}

Provisioner::Provisioner(
    Store& store, Clock& clock, RandomSource& random, SessionMaker& maker, boost::asio::any_io_executor executor,
    Workers workers, std::vector<Project> projects, ProvisioningSettings settings
)
    : store_{store},
      clock_{clock},
      random_{random},
      maker_{maker},
      executor_{executor},
      workers_{std::move(workers)},
      certain_{settings.clock.value_or(at_start({}, clock.now(), clock.steady_now())), clock.now(), clock.steady_now()},
      prepared_{clock, executor}
{
    configure(std::move(projects), settings);
}

Provisioner::~Provisioner() = default;

void Provisioner::configure(std::vector<Project> projects, ProvisioningSettings settings)
{
    settings_ = settings;
    projects_ = {};
    by_name_.clear();
    projects_.base = settings_.base;
    std::vector<SessionMaker::CalledProject> called;
    for (Project& project : projects) {
        project.facts.network = project.provider->needs_network();
        project.facts.disconnects = project.provider->can_disconnect();
        project.facts.policy_hash = hash_of(project.facts);
        called.push_back({project.facts, project.provider, project.pace});
        projects_.by_name.emplace(project.facts.name, project.facts);
        std::string name = project.facts.name;
        by_name_.emplace(std::move(name), std::move(project));
    }
    maker_.configure(std::move(called), settings_.base);
}

boost::asio::awaitable<void> Provisioner::reconcile()
{
    co_await find_stale();
    start_sweep();
    for (bool more = true; more && !stopping_;)
        more = co_await sweep();
}

/// Runs `work` on the workers. It must own what it uses: it goes on if the wait for it is given up.
boost::asio::awaitable<void> Provisioner::on_workers(std::function<void()> work)
{
    struct Errand {
        std::function<void()> work;
        Wakeup ended;
        bool over = false;
        std::exception_ptr error{};
    };
    const auto errand = std::make_shared<Errand>(Errand{std::move(work), Wakeup{clock_, executor_}});
    boost::asio::post(workers_.executor, [errand, executor = executor_] {
        try {
            errand->work();
        } catch (...) {
            errand->error = std::current_exception();
        }
        boost::asio::post(executor, [errand] {
            errand->over = true;
            errand->ended.notify();
        });
    });
    while (!errand->over)
        co_await errand->ended.wait(long_wait);
    if (errand->error)
        std::rethrow_exception(errand->error);
}

bool Provisioner::take_sweep_wish()
{
    if (store_.take_restored()) {
        log_event(
            "backup.restored"_event, " meaning=\"a backup was restored, or usher's own row in daemon was taken away; "
                                     "everything is looked at again\""
        );
        sweep_wish_ = true;
    }
    return std::exchange(sweep_wish_, false);
}

boost::asio::awaitable<void> Provisioner::beat()
{
    co_await store_.beat(certain_.at(clock_.now(), clock_.steady_now()));
}

boost::asio::awaitable<void> Provisioner::keep_doors()
{
    co_await store_.record_doors(settings_.base);
}

boost::asio::awaitable<void> Provisioner::inspect_schema()
{
    // Everything is logged once: what is still the case was logged before.
    Inspection now = co_await store_.inspect();
    inspected_ = clock_.steady_now();
    const Inspection before = std::exchange(inspection_, std::move(now));
    const auto is_new = [](auto const& item, auto const& known) {
        return std::find(known.begin(), known.end(), item) == known.end();
    };
    for (std::string const& sentence : inspection_.put_back)
        log_event("contract.restored"_event, fmt::format(" what=\"{}\"", sentence));
    for (Damage const& damage : inspection_.state.damages)
        if (is_new(damage, before.state.damages))
            log_event("contract.damaged"_event, fmt::format(R"( what="{}" do="{}")", damage.sentence, damage.way_out));
    for (std::string const& note : inspection_.state.notes)
        if (is_new(note, before.state.notes))
            log_event("contract.noted"_event, fmt::format(" what=\"{}\"", note));
    if (inspection_.state.damages.empty() && !before.state.damages.empty())
        log_event("contract.whole"_event);
}

std::optional<SteadyClock::time_point> Provisioner::inspect_again_at() const
{
    return inspection_.again ? std::optional{inspected_ + inspect_again_after} : std::nullopt;
}

boost::asio::awaitable<void> Provisioner::find_stale()
{
    co_await inspect_schema();
    co_await keep_doors();
    const std::shared_ptr<StoreReader> reader = store_.reader();
    const auto found = std::make_shared<std::vector<Suspect>>();
    const sys_seconds now = clock_.now();
    std::function<void()> work = [reader, found, now, projects = projects_] {
        for (MeetingNo after{0};;) {
            const std::vector<Store::AgendaEntry> entries = reader->scan(after, chunk_rows);
            if (entries.empty())
                return;
            after = entries.back().number;
            for (Store::AgendaEntry const& entry : entries)
                if (entry.due_at > unix_seconds(now) && is_stale(entry, projects, now))
                    found->push_back({entry.starts_at, entry.session, entry.number});
        }
    };
    try {
        co_await on_workers(std::move(work));
    } catch (DatabaseDamaged const& error) {
        note_damage(error.what());
    }
    suspect(*found);
}

void Provisioner::start_sweep()
{
    sweep_ = {};
    sweep_.since = store_.last_seq();
}

boost::asio::awaitable<bool> Provisioner::sweep()
{
    bool more = false;
    try {
        more = co_await sweep_on();
    } catch (DatabaseDamaged const& error) { // it needs all rows; what is due is served without it
        note_damage(error.what());
        sweep_.reader.reset();
    }
    has_swept_ = has_swept_ || !more;
    co_return more;
}

boost::asio::awaitable<bool> Provisioner::sweep_on()
{
    if (!sweep_.reader)
        sweep_.reader = store_.reader();
    if (co_await store_.renumber(renumbered_together))
        co_return true;
    if (sweep_.ids) { // the agenda rows themselves come first
        const auto missing = std::make_shared<Store::MissingRows>();
        std::function<void()> find = [missing, reader = sweep_.reader, cursor = *sweep_.ids] {
            *missing = reader->find_missing(cursor, chunk_rows);
        };
        co_await on_workers(std::move(find));
        co_await store_.add_missing(std::move(missing->meeting_ids));
        sweep_.ids = std::move(missing->next);
        co_return true;
    }
    if (sweep_.after) {
        co_await sweep_meetings(*sweep_.after);
        co_return true;
    }
    const auto outdated = std::make_shared<Store::Outdated>();
    const sys_seconds before =
        std::min(clock_.now(), certain_.at(clock_.now(), clock_.steady_now())) - settings_.base.retention;
    std::function<void()> find = [outdated, before, reader = sweep_.reader, place = sweep_.outdated] {
        *outdated = reader->find_outdated(place, before, outdated_together);
    };
    co_await on_workers(std::move(find));
    const Store::Outdated::Cursor next = outdated->next;
    co_await store_.remove(std::move(*outdated));
    sweep_.outdated = next;
    if (sweep_.outdated.table != Store::Outdated::OldTable::none)
        co_return true;
    sweep_.reader.reset();
    co_return false;
}

boost::asio::awaitable<void> Provisioner::sweep_meetings(MeetingNo after)
{
    struct Chunk {
        std::vector<Suspect> found;
        std::optional<MeetingNo> last;
    };
    const auto chunk = std::make_shared<Chunk>();
    const sys_seconds now = clock_.now();
    Projects known = known_projects(now);
    std::function<void()> work = [chunk, reader = sweep_.reader, after, since = sweep_.since, now,
                                  projects = std::move(known)] {
        const std::vector<Store::AgendaEntry> entries = reader->scan(after, chunk_rows);
        if (entries.empty())
            return;
        std::vector<MeetingNo> settled;
        std::map<MeetingNo, sys_seconds> starts;
        for (Store::AgendaEntry const& entry : entries) {
            if (entry.due_at <= unix_seconds(now) || entry.seq > since)
                continue;                         // known
            if (is_stale(entry, projects, now)) { // rows that came back with a backup
                chunk->found.push_back({entry.starts_at, entry.session, entry.number});
                continue;
            }
            settled.push_back(entry.number);
            starts.emplace(entry.number, entry.starts_at);
        }
        const std::vector<MeetingSnapshot> meetings = reader->read(settled, sweep_participants);
        for (MeetingSnapshot const& meeting : meetings)
            if (is_overlooked(meeting, plan(meeting, projects, now)))
                chunk->found.push_back(
                    {starts.at(meeting.number), meeting.published ? meeting.published->number : SessionNo{},
                     meeting.number}
                );
        const bool all = meetings.empty() || meetings.back().number == settled.back();
        chunk->last = all ? entries.back().number : meetings.back().number;
    };
    co_await on_workers(std::move(work));
    suspect(chunk->found);
    sweep_.after = chunk->last;
}

/// As the planner is told of them at this instant.
Projects Provisioner::known_projects(sys_seconds now)
{
    Projects known = maker_.with_outages(projects_);
    known.certain = certain_.at(now, clock_.steady_now());
    known.clock_believed = certain_.believes();
    return known;
}

/// To be looked at, in the order of Store::due(); what is over comes last.
void Provisioner::suspect(std::vector<Suspect> const& meetings)
{
    if (meetings.empty())
        return;
    const sys_seconds now = clock_.now();
    const auto key = [now](Suspect const& one) {
        const bool over = one.starts_at < now - near_before && one.starts_at != sys_seconds{}; // taken once already
        const bool near = !over && one.starts_at <= now + near_after;
        const sys_seconds place = near ? one.starts_at : std::chrono::floor<std::chrono::days>(one.starts_at);
        return std::tuple{over, !near, place, one.session, one.meeting};
    };
    const auto comes_later = [&](Suspect const& left, Suspect const& right) { return key(left) > key(right); };
    const auto known = std::ssize(suspects_); // in order already, but for those that came near meanwhile
    suspects_.insert(suspects_.end(), meetings.begin(), meetings.end());
    std::sort(suspects_.begin() + known, suspects_.end(), comes_later);
    std::inplace_merge(suspects_.begin(), suspects_.begin() + known, suspects_.end(), comes_later);
    const auto same = [](Suspect const& left, Suspect const& right) { return left.meeting == right.meeting; };
    suspects_.erase(std::unique(suspects_.begin(), suspects_.end(), same), suspects_.end());
}

boost::asio::awaitable<PassResult> Provisioner::settle()
{
    return run(batches_max, false);
}

boost::asio::awaitable<PassResult> Provisioner::pass()
{
    return run(1, true);
}

boost::asio::awaitable<PassResult> Provisioner::run(std::size_t batches, bool once)
{
    PassResult total;
    std::exception_ptr error;
    try {
        do {
            const bool requests = co_await advance_requests();
            while (batches_.size() < batches && !stopping_ && !pausing_)
                if (!start_batch())
                    break;
            total.more = requests || !batches_.empty();
            if (!batches_.empty()) {
                const PassResult result = co_await finish_batch();
                total += result;
            }
        } while (total.more && !once && !stopping_ && !pausing_);
    } catch (...) {
        error = std::current_exception();
    }
    while (!batches_.empty()) { // what is left by a stop or a failure; its rows are due still
        while (!batches_.front()->done)
            co_await prepared_.wait(long_wait);
        look_again(batches_.front()->wanted);
        batches_.pop_front();
    }
    co_await store_.come_to_rest();
    in_hand_.clear();
    pausing_ = false;
    if (error)
        std::rethrow_exception(error);
    co_return total;
}

/// A few steps. Whether there are more.
boost::asio::awaitable<bool> Provisioner::advance_requests()
{
    const Store::RequestStep step = co_await store_.advance_requests();
    if (std::any_of(step.finished.begin(), step.finished.end(), [](auto const& news) { return news.retries; }))
        maker_.retry_disconnects();
    for (RequestNews const& news : step.finished)
        log_event(
            "request.done"_event,
            fmt::format(" id={} requests={} result=\"{}\"", news.request_id, news.requests, news.detail)
        );
    co_return step.more;
}

/// Meetings that were taken from the suspects, or may have been, and are next.
void Provisioner::look_again(std::vector<MeetingNo> const& meetings)
{
    for (std::size_t i = meetings.size(); i-- > 0;)
        suspects_.push_back({sys_seconds{}, SessionNo{}, meetings[i]});
}

/// Due by their rows and suspects, each half of what there is room for while there are both.
Store::DueMeetings Provisioner::next_meetings(sys_seconds now)
{
    const std::size_t kept = std::min(suspects_.size(), batch_meetings_ / 2);
    Store::DueMeetings due =
        set_aside_.empty() ? store_.due(now, batch_meetings_ - kept, in_hand_)
                           : store_.due(now, batch_meetings_ - kept, set_aside_.with(in_hand_, clock_.steady_now()));
    in_hand_.insert(due.meetings.begin(), due.meetings.end());
    while (due.meetings.size() < batch_meetings_ && !suspects_.empty()) {
        const MeetingNo meeting = suspects_.back().meeting;
        suspects_.pop_back();
        if (in_hand_.insert(meeting).second) // else it is being looked at
            due.meetings.push_back(meeting);
    }
    return due;
}

/// An urgent one overtakes those that are not, but each of them once at most.
Provisioner::Batch& Provisioner::add_batch(bool urgent)
{
    if (readers_.empty())
        readers_.push_back(store_.reader());
    auto batch = std::make_unique<Batch>(std::move(readers_.back()));
    readers_.pop_back();
    batch->keeps_place = urgent;
    auto place = batches_.end();
    while (urgent && place != batches_.begin() && !(*std::prev(place))->keeps_place)
        (*--place)->keeps_place = true;
    return **batches_.insert(place, std::move(batch));
}

bool Provisioner::start_batch()
{
    const sys_seconds now = clock_.now();
    Store::DueMeetings due = next_meetings(now);
    if (due.meetings.empty())
        return false;
    Batch& batch = add_batch(due.near);
    batch.wanted = std::move(due.meetings);
    batch.participants_max = 2 * batch_participants_; // seldom reached: then what is needed first is not put off
    batch.started = clock_.steady_now();
    batch.seen = due.seen;
    batch.now = now;
    batch.projects = known_projects(now);
    boost::asio::co_spawn(workers_.executor, prepare(batch), [this, &batch](std::exception_ptr error) {
        boost::asio::post(executor_, [this, &batch, error] {
            batch.error = error;
            batch.done = true;
            prepared_.notify();
        });
    });
    return true;
}

/// Everything that needs no write: on the workers.
boost::asio::awaitable<void> Provisioner::prepare(Batch& batch)
{
    try {
        batch.meetings = batch.reader->read(batch.wanted, batch.participants_max);
    } catch (DatabaseDamaged const&) {
        read_each(batch);
    }
    if (!batch.meetings.empty() && batch.damaged.empty())
        batch.unread.assign(
            std::find(batch.wanted.begin(), batch.wanted.end(), batch.meetings.back().number) + 1, batch.wanted.end()
        );
    std::erase_if(batch.meetings, [&](MeetingSnapshot const& meeting) {
        if (meeting.is_unreadable)
            batch.unreadable.push_back(meeting.number);
        return meeting.is_unreadable;
    });
    for (MeetingSnapshot const& meeting : batch.meetings)
        batch.plans.push_back(plan(meeting, batch.projects, batch.now));
    co_await make_sessions(batch);
    sign(batch);
}

/// A part of the database is damaged: each meeting by itself, so that those that lie elsewhere are served.
void Provisioner::read_each(Batch& batch)
{
    for (const MeetingNo meeting : batch.wanted) {
        try {
            for (MeetingSnapshot& read : batch.reader->read({&meeting, 1}, batch.participants_max))
                batch.meetings.push_back(std::move(read));
        } catch (DatabaseDamaged const& error) {
            batch.damaged.emplace_back(meeting, error.what());
        }
    }
}

/// Finds or makes what tokens are signed for.
boost::asio::awaitable<void> Provisioner::make_sessions(Batch& batch)
{
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        MeetingSnapshot const& meeting = batch.meetings[i];
        const SessionStep step = batch.plans[i].session;
        if (step != SessionStep::create) {
            batch.sessions.push_back(step == SessionStep::publish ? meeting.staged : meeting.published);
            continue;
        }
        Project const& project = by_name_.find(meeting.meeting->project)->second;
        SessionRow session{
            {},
            batch.plans[i].adopt,
            project.facts.provider,
            project.facts.name,
            project.facts.project_key,
            to_text(meeting.meeting->options),
            true};
        if (!session.session_id.empty()) {
            batch.sessions.emplace_back(std::move(session));
            continue;
        }
        SessionOrder order{
            meeting.meeting->options, batch.now, {random_.next(), random_.next(), random_.next()}, ++serial_};
        CreateOutcome outcome = co_await project.provider->create_session(std::move(order));
        if (!outcome.session_id) // a provider that needs no network has no reason to fail
            throw std::runtime_error{project.facts.name + ": " + outcome.session_id.error().detail};
        session.session_id = std::move(*outcome.session_id);
        session.adopted = false;
        batch.sessions.emplace_back(std::move(session));
    }
}

void Provisioner::sign(Batch& batch)
{
    struct SigningJob {
        std::size_t meeting;
        std::size_t step;
        Project const* project;
        TokenEntropy entropy;
    };
    std::vector<SigningJob> jobs;
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        const auto project = by_name_.find(batch.plans[i].project);
        const bool signs = batch.sessions[i] && project != by_name_.end();
        const std::size_t steps = signs ? batch.plans[i].sign.size() : 0;
        batch.tokens.emplace_back(steps);
        for (std::size_t step = 0; step < steps; ++step) {
            const std::uint64_t high = random_.next();
            jobs.push_back({i, step, &project->second, {high, random_.next()}});
        }
    }
    std::vector<std::optional<Failure>> failures(jobs.size());
    share(workers_, jobs.size(), [&](std::size_t first, std::size_t last) {
        for (std::size_t k = first; k < last; ++k) {
            SigningJob const& job = jobs[k];
            Plan const& planned = batch.plans[job.meeting];
            SignStep const& step = planned.sign[job.step];
            ParticipantRow const& participant = batch.meetings[job.meeting].participants[step.participant];
            std::string const& session_id = batch.sessions[job.meeting]->session_id;
            ProjectFacts const& facts = job.project->facts;
            const sys_seconds issued = batch.now - facts.policy.clock_skew;
            const TokenClaims claims{
                session_id,
                *participant.role,
                issued,
                expiry_of(issued, *planned.closes, facts.policy),
                participant.connection_data,
                participant.layout_classes,
                participant.id,
                participant.display_name};
            auto token = job.project->signer.sign(claims, job.entropy, batch.now);
            if (token)
                batch.tokens[job.meeting][job.step] = {
                    step.participant, std::move(*token), step.reason,
                    issued,           claims.expires_at, fingerprint_of(participant, session_id, facts.format)};
            else
                failures[k] = std::move(token.error());
        }
    });
    for (std::size_t k = jobs.size(); k-- > 0;) {
        if (!failures[k])
            continue;
        Plan& planned = batch.plans[jobs[k].meeting];
        const std::size_t participant = planned.sign[jobs[k].step].participant;
        planned.problems.push_back({participant, std::string{to_text(failures[k]->code)}, failures[k]->message});
        planned.reason = "participant_problems";
        planned.detail = "some participants cannot be served; each is listed with its reason";
        std::vector<SignedToken>& tokens = batch.tokens[jobs[k].meeting];
        tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(jobs[k].step));
    }
}

/// Publishes the first batch, once it is ready.
boost::asio::awaitable<PassResult> Provisioner::finish_batch()
{
    while (!batches_.front()->done)
        co_await prepared_.wait(long_wait);
    Batch& batch = *batches_.front();
    if (batch.error)
        std::rethrow_exception(batch.error);
    for (auto const& [meeting, reason] : batch.damaged) {
        note_damage(reason);
        set_aside_.failed(meeting, clock_.steady_now());
    }
    PassResult result;
    result.looked_at = batch.meetings.size();
    result.published = co_await publish(batch);
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        Plan const& planned = batch.plans[i];
        if (planned.session == SessionStep::order && !planned.blocked) {
            std::string const& project = batch.meetings[i].meeting->project;
            maker_.want(project, batch.meetings[i].number, *planned.opens, batch.projects.find(project)->outage);
            for (OpenWork const& work : batch.meetings[i].requests)
                if (work.action == RequestAction::retry)
                    maker_.retry(project, work.number);
        } else if (planned.disconnect) {
            maker_.want_disconnects();
        }
    }
    adapt(batch);
    note_looks(batch);
    note_concern();
    if (!batch.unreadable.empty()) {
        log_event("agenda.unreadable"_event, fmt::format(" count={}", batch.unreadable.size()));
        co_await store_.forget_unreadable(batch.unreadable);
        sweep_wish_ = true;
    }
    for (const MeetingNo meeting : batch.wanted)
        in_hand_.erase(meeting);
    look_again(batch.unread);
    readers_.push_back(std::move(batch.reader));
    // Where a batch was made it is destroyed, which takes longer than one thinks.
    boost::asio::post(workers_.executor, [done = std::move(batches_.front())] {});
    batches_.pop_front();
    co_return result;
}

/// Sets aside what stays due though there is nothing to do.
void Provisioner::note_looks(Batch const& batch)
{
    const SteadyClock::time_point now = clock_.steady_now();
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        MeetingSnapshot const& meeting = batch.meetings[i];
        if (!is_as_planned(meeting, batch.plans[i]))
            set_aside_.served(meeting.number, now);
        else if (set_aside_.found_nothing(meeting.number, now))
            log_event(
                "due.stuck"_event,
                fmt::format(
                    " meeting={} meaning=\"its row stays due though there is nothing to do: look for triggers on "
                    "agenda, and have the database check its indexes\"",
                    printable(meeting.id)
                )
            );
    }
}

/// Told once. Another file that somebody copies into the database's place looks damaged too, and nothing may be written
/// to that: so it has to be there when the daemon starts. What is damaged later ends it.
void Provisioner::note_damage(std::string const& reason)
{
    store_.check_after_failure();
    store_.check();
    if (has_swept_ && !is_damage_told_)
        throw DatabaseDamaged{reason};
    if (!std::exchange(is_damage_told_, true))
        log_event(
            "store.damaged"_event, fmt::format(R"( reason="{}" meaning="what lies elsewhere is served")", reason)
        );
}

/// Once, until it is over.
void Provisioner::note_concern()
{
    const std::string concern = store_.concern();
    if (!concern.empty() && !is_concerned_)
        log_event("store.concern"_event, fmt::format(" meaning=\"{}\"", concern));
    is_concerned_ = !concern.empty();
}

SteadyClock::duration Provisioner::rest() const
{
    const SteadyClock::time_point now = clock_.steady_now();
    const auto next = set_aside_.next(now);
    return next ? *next - now : SteadyClock::duration::zero();
}

boost::asio::awaitable<PublishCounts> Provisioner::publish(Batch& batch)
{
    std::vector<Publication> publications;
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        Publication& publication = publications.emplace_back();
        publication.meeting = &batch.meetings[i];
        publication.plan = &batch.plans[i];
        publication.seen = batch.seen;
        publication.session = batch.sessions[i] ? &*batch.sessions[i] : nullptr;
        publication.tokens = batch.tokens[i];
        if (ProjectFacts const* const project = batch.projects.find(batch.plans[i].project))
            publication.key_id = project->key_id;
    }
    const Published published = co_await store_.publish(std::move(publications));
    for (Published::Refused const& refused : published.refused) {
        MeetingSnapshot const& meeting = batch.meetings[refused.publication];
        if (set_aside_.failed(meeting.number, clock_.steady_now()))
            log_event(
                "row.refused"_event,
                fmt::format(
                    R"( meeting={} reason="{}" meaning="the others are served")", printable(meeting.id), refused.why
                )
            );
    }
    co_return published.counts;
}

/// The next batches are as large as this one ought to have been.
void Provisioner::adapt(Batch const& batch)
{
    const SteadyClock::time_point last = std::exchange(finished_, clock_.steady_now());
    const SteadyClock::duration took = finished_ - std::max(batch.started, last); // those before it aside
    if (took > batch_goal)
        batch_participants_ = std::max(batch_participants_min, batch_participants_ * 3 / 4);
    else if (took < batch_goal / 2)
        batch_participants_ = std::min(settings_.participants_max, batch_participants_ * 5 / 4);
    std::size_t participants = 0;
    for (MeetingSnapshot const& meeting : batch.meetings)
        participants += meeting.participants.size();
    const std::size_t each = participants / std::max<std::size_t>(batch.meetings.size(), 1) + 1;
    batch_meetings_ = std::clamp<std::size_t>(store_.fill(batch_participants_) / each, 1, settings_.meetings_max);
}

Result<void> Provisioner::check_signature(std::string_view project, Credential const& credential) const
{
    const auto found = by_name_.find(project);
    if (found == by_name_.end())
        return {}; // a token of a project that was configured once cannot be checked
    return check_token(found->second.signer, credential);
}

} // namespace usher
