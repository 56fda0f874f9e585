// SPDX-License-Identifier: Apache-2.0
#include <usher/service/provisioning.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <usher/service/batch.hpp>
#include <usher/service/log_event.hpp>
#include <usher/store/errors.hpp>

namespace usher {

namespace {

using SteadyClock = std::chrono::steady_clock;

// One batch is published while the next is signed and the one after it is read.
constexpr std::size_t batches_max = 3;
// What a change of an urgent meeting may have to wait for.
constexpr auto batch_goal = std::chrono::milliseconds{60};
constexpr std::size_t batch_participants_min = 128;
constexpr auto long_wait = std::chrono::hours{1};
constexpr auto inspect_again_after = std::chrono::minutes{1};

/// Whose tokens the meeting has, or is to have.
std::string_view project_of(MeetingSnapshot const& meeting, Plan const& planned)
{
    if (!planned.project.empty())
        return planned.project;
    if (meeting.published)
        return meeting.published->project;
    return meeting.meeting ? std::string_view{meeting.meeting->project} : std::string_view{};
}

SessionOrigin origin_of(Plan const& planned, SessionRow const& session)
{
    if (session.adopted)
        return SessionOrigin::adopted;
    return planned.session == SessionStep::create ? SessionOrigin::local : SessionOrigin::made;
}

std::string_view to_text(SessionStep step)
{
    switch (step) {
    case SessionStep::keep: return "keep";
    case SessionStep::publish: return "publish";
    case SessionStep::create: return "create";
    case SessionStep::order: return "order";
    case SessionStep::drop: return "drop";
    }
    return "unknown";
}

/// As the field `why` has it.
std::string_view why_due(MeetingSnapshot const& meeting, sys_seconds now)
{
    if (meeting.due_at == 0)
        return "written";
    return meeting.due_at <= unix_seconds(now) ? "time" : "suspected";
}

} // namespace

PassResult& PassResult::operator+=(PassResult const& other)
{
    looked_at += other.looked_at;
    urgent = urgent || other.urgent;
    published += other.published;
    return *this;
}

Provisioner::Provisioner(
    Store& store, Clock& clock, RandomSource& random, SessionMaker& maker, boost::asio::any_io_executor executor,
    Workers workers, std::vector<Project> projects, ProvisioningSettings settings
)
    : store_{store},
      clock_{clock},
      maker_{maker},
      executor_{executor},
      workers_{std::move(workers)},
      certain_{settings.clock.value_or(at_start({}, clock.now(), clock.steady_now())), clock.now(), clock.steady_now()},
      readers_{store},
      preparer_{random, workers_, by_name_},
      prepared_{clock, executor},
      sweep_{store, readers_, clock, executor, workers_}
{
    configure(std::move(projects), settings);
}

Provisioner::~Provisioner() = default;

void Provisioner::watch(Metrics& metrics, std::function<void()> progressed)
{
    metrics_ = &metrics;
    progressed_ = std::move(progressed);
}

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

bool Provisioner::take_sweep_wish()
{
    if (store_.take_restored()) {
        log_event("backup.restored"_event);
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
    if (metrics_ != nullptr)
        metrics_->repaired(inspection_.put_back.size());
    for (std::string const& sentence : inspection_.put_back)
        log_event("contract.restored"_event, {{"detail", sentence}});
    for (Damage const& damage : inspection_.state.damages)
        if (is_new(damage, before.state.damages))
            log_event("contract.damaged"_event, {{"detail", damage.sentence}, {"way_out", damage.way_out}});
    for (std::string const& note : inspection_.state.notes)
        if (is_new(note, before.state.notes))
            log_event("contract.noted"_event, {{"detail", note}});
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
    const auto found = std::make_shared<std::vector<Suspect>>();
    std::shared_ptr<StoreReader> reader = readers_.take();
    std::function<void()> work = [found, reader, projects = projects_, now = clock_.now()] {
        *found = stale_meetings(*reader, projects, now);
    };
    try {
        co_await on_workers(workers_, clock_, executor_, std::move(work));
    } catch (DatabaseDamaged const& error) {
        note_damage(error.what());
    }
    readers_.put_back(std::move(reader));
    suspects_.add(*found, clock_.now());
}

void Provisioner::start_sweep()
{
    sweep_.start();
}

boost::asio::awaitable<bool> Provisioner::sweep()
{
    Sweep::Chunk chunk;
    const sys_seconds now = clock_.now();
    const Projects projects = known_projects(now);
    try {
        chunk = co_await sweep_.next(projects, std::min(now, projects.certain) - settings_.base.retention);
    } catch (DatabaseDamaged const& error) { // it needs all rows; what is due is served without it
        note_damage(error.what());
        chunk.more = false;
    }
    suspects_.add(chunk.suspects, clock_.now());
    has_swept_ = has_swept_ || !chunk.more;
    co_return chunk.more;
}

/// As the planner is told of them at this instant.
Projects Provisioner::known_projects(sys_seconds now)
{
    Projects known = maker_.with_outages(projects_);
    known.certain = certain_.at(now, clock_.steady_now());
    known.clock_believed = certain_.believes();
    return known;
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
        count_discarded(*batches_.front(), error ? DiscardReason::failed : DiscardReason::stopped);
        suspects_.put_back(batches_.front()->wanted);
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
    const RequestStep step = co_await store_.advance_requests();
    if (std::any_of(step.finished.begin(), step.finished.end(), [](auto const& news) { return news.retries; }))
        maker_.retry_disconnects();
    for (RequestNews const& news : step.finished)
        log_event(
            "request.done"_event, {{"request_id", news.request_id}, {"count", news.requests}, {"detail", news.detail}}
        );
    co_return step.more;
}

/// Due by their rows and suspects, each half of what there is room for while there are both.
DueMeetings Provisioner::next_meetings(sys_seconds now)
{
    const std::size_t kept = std::min(suspects_.size(), batch_meetings_ / 2);
    DueMeetings due = set_aside_.empty()
                          ? store_.due(now, batch_meetings_ - kept, in_hand_)
                          : store_.due(now, batch_meetings_ - kept, set_aside_.with(in_hand_, clock_.steady_now()));
    in_hand_.insert(due.meetings.begin(), due.meetings.end());
    while (due.meetings.size() < batch_meetings_) {
        const std::optional<MeetingNo> suspect = suspects_.take();
        if (!suspect)
            break;
        if (in_hand_.insert(*suspect).second) // else it is being looked at
            due.meetings.push_back(*suspect);
    }
    return due;
}

/// An urgent one overtakes those that are not, but each of them once at most.
Batch& Provisioner::add_batch(std::unique_ptr<Batch> batch, bool urgent)
{
    batch->urgent = batch->keeps_place = urgent;
    auto place = batches_.end();
    while (urgent && place != batches_.begin() && !(*std::prev(place))->keeps_place)
        (*--place)->keeps_place = true;
    return **batches_.insert(place, std::move(batch));
}

bool Provisioner::start_batch()
{
    const sys_seconds now = clock_.now();
    DueMeetings due = next_meetings(now);
    if (due.meetings.empty())
        return false;
    std::unique_ptr<Batch> made;
    try {
        made = std::make_unique<Batch>(readers_.take());
    } catch (...) { // of suspects no row says that they are due
        suspects_.put_back(due.meetings);
        throw;
    }
    Batch& batch = add_batch(std::move(made), due.near);
    batch.wanted = std::move(due.meetings);
    batch.participants_max = 2 * batch_participants_; // seldom reached, and the meetings needed first are read
    batch.started = clock_.steady_now();
    batch.seen = due.seen;
    batch.now = now;
    batch.projects = known_projects(now);
    log_event("batch.begun"_event, [&] {
        return LogFields{{"meetings", batch.wanted.size()}, {"reason", due.near ? "urgent" : "due"}};
    });
    boost::asio::co_spawn(workers_.executor, preparer_.prepare(batch), [this, &batch](std::exception_ptr error) {
        boost::asio::post(executor_, [this, &batch, error] {
            batch.error = error;
            batch.prepared = clock_.steady_now();
            if (!error)
                count_signed(batch);
            batch.done = true;
            prepared_.notify();
        });
    });
    return true;
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
    say_plans(batch);
    PassResult result;
    result.looked_at = batch.meetings.size();
    result.urgent = batch.urgent;
    const SteadyClock::time_point from = clock_.steady_now();
    result.published = co_await publish(batch);
    log_event("batch.done"_event, [&] {
        return LogFields{{"meetings", result.published.settled},         {"tokens", result.published.tokens},
                         {"withdrawn", result.published.withdrawn},      {"skipped", result.published.skipped},
                         {"prepare_ms", batch.prepared - batch.started}, {"publish_ms", clock_.steady_now() - from}};
    });
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
        log_event("agenda.unreadable"_event, {{"count", batch.unreadable.size()}});
        co_await store_.forget_unreadable(batch.unreadable);
        sweep_wish_ = true;
    }
    for (const MeetingNo meeting : batch.wanted)
        in_hand_.erase(meeting);
    suspects_.put_back(batch.unread);
    readers_.put_back(std::move(batch.reader));
    // The workers destroy the batch, since freeing all its texts takes long.
    boost::asio::post(workers_.executor, [done = std::move(batches_.front())] {});
    batches_.pop_front();
    co_return result;
}

/// For the log: why each meeting was looked at, and what is to be done for it.
void Provisioner::say_plans(Batch const& batch)
{
    for (std::size_t i = 0; i < batch.meetings.size(); ++i)
        log_event("meeting.planned"_event, [&] {
            MeetingSnapshot const& meeting = batch.meetings[i];
            Plan const& planned = batch.plans[i];
            LogFields fields{{"meeting_id", meeting.id},        {"why", why_due(meeting, batch.now)},
                             {"state", to_text(planned.state)}, {"session", to_text(planned.session)},
                             {"tokens", planned.sign.size()},   {"withdrawn", planned.withdraw.size()}};
            if (!planned.reason.empty())
                fields.push_back({"reason", planned.reason});
            if (planned.due)
                fields.push_back({"next_at", *planned.due});
            return fields;
        });
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
            log_event("due.stuck"_event, {{"meeting_id", meeting.id}});
    }
}

/// Tells of damage once, and serves what lies elsewhere, if the damage was there when the daemon started. Later damage
/// ends the daemon: a file that somebody copies into the database's place looks damaged too, and must not be written
/// to.
void Provisioner::note_damage(std::string const& reason)
{
    store_.check_after_failure();
    store_.check();
    if (has_swept_ && !is_damage_told_)
        throw DatabaseDamaged{reason};
    if (!std::exchange(is_damage_told_, true))
        log_event("store.damaged"_event, {{"reason", reason}});
}

/// Once, until it is over.
void Provisioner::note_concern()
{
    const std::string concern = store_.concern();
    if (!concern.empty() && !is_concerned_)
        log_event("store.concern"_event, {{"detail", concern}});
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
    Published published;
    std::exception_ptr error;
    DiscardReason why = DiscardReason::failed;
    try {
        published = co_await store_.publish(std::move(publications));
    } catch (Fenced const&) {
        error = std::current_exception();
        why = DiscardReason::fenced;
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        count_discarded(batch, why);
        std::rethrow_exception(error);
    }
    for (Published::Refused const& refused : published.refused) {
        MeetingSnapshot const& meeting = batch.meetings[refused.publication];
        if (set_aside_.failed(meeting.number, clock_.steady_now()))
            log_event("row.refused"_event, {{"meeting_id", meeting.id}, {"reason", refused.why}});
    }
    count(batch, published);
    progressed_();
    co_return published.counts;
}

void Provisioner::count_signed(Batch& batch)
{
    for (std::size_t i = 0; i < batch.meetings.size(); ++i)
        if (const std::size_t tokens = batch.tokens[i].size(); tokens > 0)
            batch.in_hand[std::string{project_of(batch.meetings[i], batch.plans[i])}] += tokens;
    if (metrics_ != nullptr)
        for (auto const& [project, tokens] : batch.in_hand)
            metrics_->tokens_signed(project, tokens);
}

void Provisioner::count(Batch& batch, Published const& published)
{
    if (metrics_ == nullptr)
        return;
    std::map<std::string_view, BatchTokens> by_project;
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        const std::string_view project = project_of(batch.meetings[i], batch.plans[i]);
        PublishCounts const& counts = published.each[i];
        BatchTokens& of_project = by_project[project];
        of_project.published += counts;
        if (counts.sessions > 0 && batch.sessions[i])
            of_project.sessions.at(static_cast<std::size_t>(origin_of(batch.plans[i], *batch.sessions[i]))) +=
                counts.sessions;
        if (batch.meetings[i].has_foreign_session)
            metrics_->foreign_row_met();
        if (batch.tokens[i].empty())
            continue;
        const auto is_it = [&](Published::Refused const& refused) { return refused.publication == i; };
        const bool refused = std::any_of(published.refused.begin(), published.refused.end(), is_it);
        const std::size_t left_out = batch.tokens[i].size() - counts.tokens - counts.skipped;
        metrics_->tokens_discarded(project, DiscardReason::edited, counts.skipped);
        metrics_->tokens_discarded(project, refused ? DiscardReason::refused : DiscardReason::stopped, left_out);
    }
    for (auto const& [project, of_project] : by_project)
        metrics_->batch_published(project, of_project);
    batch.in_hand.clear();
}

void Provisioner::count_discarded(Batch& batch, DiscardReason why)
{
    if (metrics_ != nullptr)
        for (auto const& [project, tokens] : batch.in_hand)
            metrics_->tokens_discarded(project, why, tokens);
    batch.in_hand.clear();
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
