// SPDX-License-Identifier: Apache-2.0
#include <usher/service/session_maker.hpp>

#include <algorithm>

#include <boost/asio/this_coro.hpp>

#include <usher/core/backoff.hpp>
#include <usher/service/log_event.hpp>

#include "service/project_calls.hpp"

namespace usher {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto busy_database = std::chrono::seconds{1};
constexpr auto gather = std::chrono::milliseconds{25}; // what ends within it is recorded in one commit
// What one transaction may write, so that it holds the lock for a few milliseconds.
constexpr std::size_t ended_together = 32;
constexpr std::size_t begun_together = 64;
constexpr std::size_t marked_together = 128;
// A meeting's own back-off. A refusal that will be repeated is asked for again too, but seldom: the vendor's side may
// be put right without a word to us.
constexpr seconds retry_cap{15 * 60};
constexpr seconds outage_cap{30}; // the circuit does the waiting; this has meetings take turns as its probe
constexpr seconds permanent_base{10 * 60};
constexpr seconds permanent_cap{6 * 3600};
constexpr seconds last_safe{60}; // before `opens`: the last moment to try again, whatever was asked for
constexpr seconds live_retry{10};
constexpr seconds calm{30}; // without a new pause: the outage is over

/// Whether the provider is there, and only this request was refused.
bool is_of_the_request(ProviderFailure const& failure)
{
    return failure.kind == FailureKind::permanent && !failure.of_project;
}

/// Takes up to `most` of the first items out.
template <class T>
std::vector<T> take_first(std::vector<T>& items, std::size_t most)
{
    const auto end = items.begin() + static_cast<std::ptrdiff_t>(std::min(most, items.size()));
    std::vector<T> first{std::make_move_iterator(items.begin()), std::make_move_iterator(end)};
    items.erase(items.begin(), end);
    return first;
}

/// Puts back in front what take_first() took.
template <class T>
void put_first(std::vector<T>& items, std::vector<T> first)
{
    items.insert(items.begin(), std::make_move_iterator(first.begin()), std::make_move_iterator(first.end()));
}

} // namespace

SessionMaker::SessionMaker(
    boost::asio::any_io_executor executor, Store& store, Clock& clock, RandomSource& random,
    std::function<void()> changed
)
    : executor_{executor},
      store_{store},
      clock_{clock},
      random_{random},
      changed_{std::move(changed)},
      wakeup_{clock, executor},
      stepped_{clock, executor},
      calls_{executor, [this](std::string const&, std::exception_ptr error) {
                 failure_ = std::move(error);
                 wakeup_.notify();
             }}
{}

void SessionMaker::configure(std::vector<CalledProject> called, Policy base)
{
    for (auto const& [name, project] : projects_)
        take_back(*project); // what is on record and was not sent yet will not be sent for the old project
    projects_.clear();
    known_ = {};
    known_.base = base;
    rows_.emplace();
    for (CalledProject& one : called) {
        known_.by_name.emplace(one.facts.name, one.facts);
        rows_->push_back({one.facts.name, one.facts.provider, one.facts.project_key, one.facts.key_id, {}, {}});
        if (!one.facts.network && !one.facts.disconnects)
            continue;
        const std::string name = one.facts.name;
        const Pace pace{name, one.pace, clock_.steady_now()};
        projects_.emplace(name, std::make_shared<ProjectCalls>(ProjectCalls{std::move(one), pace}));
    }
    disconnects_wanted_ = true; // another policy may have other answers
    wakeup_.notify();           // what was taken back and the projects' rows are still to be written
}

std::map<std::string, std::size_t> SessionMaker::waiting() const
{
    std::map<std::string, std::size_t> result;
    for (auto const& [name, project] : projects_)
        result.emplace(name, project->queue.size() + project->begun.size());
    return result;
}

/// What was begun and not sent is wanted still, but not now.
void SessionMaker::take_back(ProjectCalls& project)
{
    for (Order const& order : std::exchange(project.begun, {})) {
        unsent_.push_back({order.meeting, order.attempt, CallOutcome::unsent});
        if (metrics_ != nullptr)
            metrics_->call_unsent(project.called.facts.name);
        busy_.erase(order.meeting);
        project.put(order.meeting, order.opens);
    }
}

void SessionMaker::want(
    std::string_view project_name, MeetingNo meeting, sys_seconds opens, std::optional<Outage> const& known
)
{
    const auto found = projects_.find(project_name);
    if (found == projects_.end())
        return;
    ProjectCalls& project = *found->second;
    if (project.outage && project.outage != known)
        to_look_at_.push_back(meeting); // was planned before it began
    if (!busy_.contains(meeting)) {
        project.put(meeting, opens);
        weigh(project);
    }
    wakeup_.notify();
}

/// While the circuit is open: has the next probe come in time for the meeting that opens first.
void SessionMaker::weigh(ProjectCalls& project)
{
    if (!project.pace.open() || project.queue.empty())
        return;
    const seconds left = std::min(project.queue.begin()->first - last_safe - clock_.now(), patience_max);
    hurry(project, std::max(clock_.steady_now() + std::max(left, seconds{0}), project.pace.failed_at() + live_retry));
}

/// While the circuit is open: the next probe comes at `by` at the latest.
void SessionMaker::hurry(ProjectCalls& project, SteadyClock::time_point by)
{
    const SteadyClock::time_point before = project.pace.probe_at();
    project.pace.hurry(by);
    if (project.pace.probe_at() != before)
        unreported_.insert(project.called.facts.name);
}

void SessionMaker::retry(std::string_view project_name, WorkNo request)
{
    const auto found = projects_.find(project_name);
    if (found == projects_.end() || request <= found->second->retried)
        return;
    ProjectCalls& project = *found->second;
    project.retried = request;
    if (!project.pace.open())
        return;
    project.pace.hurry(clock_.steady_now());
    unreported_.insert(project.called.facts.name);
    wakeup_.notify();
}

Projects SessionMaker::with_outages(Projects projects) const
{
    for (auto& [name, facts] : projects.by_name)
        if (const auto found = projects_.find(name); found != projects_.end())
            facts.outage = found->second->outage;
    return projects;
}

/// Whether there is something to be written.
bool SessionMaker::has_news() const
{
    return !results_.empty() || !unsent_.empty() || !to_look_at_.empty() || !ended_disconnects_.empty() ||
           !unreported_.empty() || rows_;
}

bool SessionMaker::busy()
{
    return stepping_ || !results_.empty() || !to_look_at_.empty() ||
           std::any_of(projects_.begin(), projects_.end(), [](auto const& entry) {
               ProjectCalls const& project = *entry.second;
               return project.pace.running() > 0 || !project.begun.empty() ||
                      (!project.pace.open() && !project.queue.empty());
           });
}

boost::asio::awaitable<SteadyClock::duration> SessionMaker::step()
{
    while (stepping_)
        co_await stepped_.wait(idle);
    stepping_ = true;
    struct Stepped {
        SessionMaker& maker;
        ~Stepped()
        {
            maker.stepping_ = false;
            maker.stepped_.notify();
        }
    };
    const Stepped stepped{*this};
    const SteadyClock::duration calm_in = end_outages();
    const bool changed = has_news();
    News news = take_news();
    std::exception_ptr error;
    CallRecord record;
    try {
        record = co_await this->record(news);
    } catch (...) { // the database is busy, maybe: then all is as before, for the next step
        error = std::current_exception();
    }
    if (error) {
        put_back(std::move(news));
        std::rethrow_exception(error);
    }
    begin(std::move(news), record);
    if (changed)
        changed_();
    const SteadyClock::duration wait = std::min({start_all(), start_disconnects(), calm_in});
    co_return has_news() ? SteadyClock::duration::zero() : wait;
}

/// Takes the orders that begin: those that can be called now, and some more, so that no place stays empty while the
/// database is written to. Takes also what is to be recorded, as much as one transaction may write.
SessionMaker::News SessionMaker::take_news()
{
    News news;
    const sys_seconds now = clock_.now();
    for (auto const& [name, project] : projects_) {
        if (stopping_ || news.beginning.size() >= begun_together)
            break;
        const std::size_t wanted = project->pace.at_hand(clock_.steady_now());
        std::vector<MeetingNo> first;
        for (auto entry = project->queue.begin();
             entry != project->queue.end() && project->begun.size() + first.size() < wanted; ++entry)
            first.push_back(entry->second);
        for (MeetingSnapshot const& meeting : store_.read_orders(first)) {
            const Plan planned = plan(meeting, known_, now);
            if (planned.session != SessionStep::order || planned.blocked || meeting.meeting->project != name)
                continue; // the platform changed its mind; the passes know
            ProjectFacts const& facts = project->called.facts;
            Order order{meeting.number, *planned.opens, meeting.id, 0, {}, meeting.meeting->options, planned.inputs};
            order.session = {{}, {}, facts.provider, facts.name, facts.project_key, to_text(meeting.meeting->options)};
            order.attempts = meeting.failed_inputs == planned.inputs ? meeting.attempts : 0;
            news.beginning.emplace_back(project, std::move(order));
        }
        for (const MeetingNo meeting : first)
            news.looked_at.emplace_back(project, std::pair{meeting, project->queued.at(meeting)});
    }
    // From here on nothing fails.
    for (auto const& [project, wanted] : news.looked_at)
        project->take(wanted.first);
    for (auto const& [project, order] : news.beginning)
        busy_.insert(order.meeting);
    news.unsent = take_first(unsent_, ended_together);
    recording_ = take_first(results_, ended_together);
    news.rows = std::exchange(rows_, std::nullopt);
    news.unreported = std::exchange(unreported_, {});
    news.to_look_at = take_first(to_look_at_, marked_together);
    news.disconnects = take_first(ended_disconnects_, ended_together);
    return news;
}

void SessionMaker::put_back(News news)
{
    for (auto const& [project, order] : news.beginning)
        busy_.erase(order.meeting);
    for (auto const& [project, wanted] : news.looked_at)
        if (!project->queued.contains(wanted.first)) // else it was wanted again meanwhile, maybe for another instant
            project->put(wanted.first, wanted.second);
    put_first(unsent_, std::move(news.unsent));
    put_first(results_, std::exchange(recording_, {}));
    if (!rows_) // else there are newer ones
        rows_ = std::move(news.rows);
    unreported_.merge(news.unreported);
    put_first(to_look_at_, std::move(news.to_look_at));
    put_first(ended_disconnects_, std::move(news.disconnects));
}

boost::asio::awaitable<CallRecord> SessionMaker::record(News const& news)
{
    std::vector<EndedCall> over = news.unsent;
    for (FinishedCall const& result : recording_)
        over.push_back(ended(result));
    std::vector<MeetingNo> begun;
    for (auto const& [project, order] : news.beginning)
        begun.push_back(order.meeting);
    std::vector<ProjectStatus> rows = news.rows.value_or(std::vector<ProjectStatus>{});
    for (std::string const& name : news.unreported)
        if (const auto found = projects_.find(name); found != projects_.end())
            rows.push_back(status_of(*found->second));
    CallNews calls;
    calls.ended = over;
    calls.begun = begun;
    calls.projects = rows;
    calls.all_projects = news.rows.has_value();
    calls.to_look_at = news.to_look_at;
    calls.disconnects = news.disconnects;
    co_return co_await store_.record_calls(calls);
}

/// All of it is on record.
void SessionMaker::begin(News news, CallRecord const& record)
{
    for (EndedDisconnect const& row : news.disconnects)
        disconnects_.erase(row.session);
    const std::vector<FinishedCall> recorded = std::exchange(recording_, {});
    for (std::size_t i = 0; i < recorded.size(); ++i) {
        busy_.erase(recorded[i].order.meeting);
        const bool is_used = record.staged[news.unsent.size() + i].has_value();
        if (metrics_ != nullptr && recorded[i].outcome.session_id && !is_used)
            metrics_->session_discarded(recorded[i].project->called.facts.name, "unwanted");
    }
    for (std::size_t i = 0; i < news.beginning.size(); ++i) {
        auto& [project, order] = news.beginning[i];
        order.attempt = record.attempts[i];
        const auto current = projects_.find(order.session.project);
        if (current != projects_.end() && current->second == project) {
            order.begun = clock_.steady_now();
            project->begun.push_back(std::move(order));
        } else { // the configuration is another one since
            if (metrics_ != nullptr)
                metrics_->call_unsent(order.session.project);
            unsent_.push_back({order.meeting, order.attempt, CallOutcome::unsent});
            busy_.erase(order.meeting);
        }
    }
}

/// An outage is over when the circuit has stayed closed for a while, or nothing waits any more: it is not begun again
/// with each call that happens to go well. Returns when to look again.
SteadyClock::duration SessionMaker::end_outages()
{
    SteadyClock::duration wait = idle;
    for (auto const& [name, project] : projects_) {
        if (!project->outage || project->pace.open())
            continue;
        const SteadyClock::duration left = project->closed_at + calm - clock_.steady_now();
        if (left > SteadyClock::duration::zero() && (project->waits() || project->pace.running() > 0)) {
            wait = std::min(wait, left);
            continue;
        }
        project->outage.reset();
        log_event("circuit.closed"_event, {{"project", name}});
    }
    return wait;
}

/// Returns how long nothing more can be started, unless a call ends.
SteadyClock::duration SessionMaker::start_all()
{
    SteadyClock::duration wait = idle;
    for (auto const& [name, project] : projects_) {
        start(project);
        const SteadyClock::time_point now = clock_.steady_now();
        if (const auto next = project->pace.next(now); next && project->waits())
            wait = std::min(wait, *next - now);
    }
    return std::max(wait, SteadyClock::duration::zero());
}

void SessionMaker::start(std::shared_ptr<ProjectCalls> const& project)
{
    while (!stopping_ && !project->begun.empty() && project->pace.allowance(clock_.steady_now()) > 0) {
        Order order = std::move(project->begun.front());
        project->begun.erase(project->begun.begin());
        project->pace.started();
        project->sessions_next = false;
        if (metrics_ != nullptr)
            metrics_->call_paced(project->called.facts.name, clock_.steady_now() - order.begun);
        calls_.spawn("session call", call(project, std::move(order)));
    }
}

/// Returns when it was.
SteadyClock::time_point
SessionMaker::say_started(ProjectCalls const& project, char const* call, std::string const& meeting_id) const
{
    log_event("call.started"_event, [&] {
        return LogFields{{"project", project.called.facts.name}, {"call", call}, {"meeting_id", meeting_id}};
    });
    return clock_.steady_now();
}

void SessionMaker::say_done(
    ProjectCalls const& project, char const* call, std::string const& meeting_id, SteadyClock::time_point started,
    ProviderFailure const* failure
) const
{
    log_event("call.done"_event, [&] {
        LogFields fields{
            {"project", project.called.facts.name},
            {"call", call},
            {"meeting_id", meeting_id},
            {"took_ms", clock_.steady_now() - started}};
        if (failure != nullptr) {
            fields.push_back({"reason", failure->reason});
            fields.push_back({"detail", failure->detail});
        }
        return fields;
    });
}

boost::asio::awaitable<void> SessionMaker::call(std::shared_ptr<ProjectCalls> project, Order order)
{
    SessionOrder asked{order.options, clock_.now(), {random_.next(), random_.next(), random_.next()}};
    const SteadyClock::time_point started = say_started(*project, "create", order.meeting_id);
    const CountedCall counted{metrics_, project->called.facts.name, VendorCall::create, clock_};
    CreateOutcome outcome = co_await project->called.provider->create_session(std::move(asked));
    counted.ended(outcome.session_id ? nullptr : &outcome.session_id.error());
    say_done(*project, "create", order.meeting_id, started, outcome.session_id ? nullptr : &outcome.session_id.error());
    FinishedCall result{project, std::move(order), std::move(outcome)};
    hear(std::move(result));
    start(project);
    wakeup_.notify();
}

/// Whether a session of this id exists already, so that the provider cannot have made it now.
bool SessionMaker::is_taken(std::string const& session_id) const
{
    const auto is_it = [&](FinishedCall const& result) { return result.order.session.session_id == session_id; };
    if (std::any_of(results_.begin(), results_.end(), is_it) ||
        std::any_of(recording_.begin(), recording_.end(), is_it))
        return true;
    try {
        return store_.has_session(session_id);
    } catch (DatabaseBusy const&) {
        return false; // it is looked at again when it is recorded
    }
}

/// How a call for a session ended.
void SessionMaker::hear(FinishedCall result)
{
    ProjectCalls& project = *result.project;
    auto& made = result.outcome.session_id;
    if (made && is_taken(*made)) {
        if (metrics_ != nullptr)
            metrics_->session_discarded(project.called.facts.name, "taken");
        made = tl::unexpected{ProviderFailure{
            FailureKind::ambiguous, "session_id_taken",
            "the provider of project \"" + project.called.facts.name +
                "\" answers with the id of a session that exists already; tell its operator"}};
    }
    ProviderFailure const* const failure = made ? nullptr : &made.error();
    const bool was_out = project.outage.has_value();
    hear(project, failure, result.outcome.clock_ahead, result.order.opens);
    if (failure != nullptr) {
        if (!was_out) // an outage is told of once
            log_event(
                "session.call_failed"_event, {{"project", project.called.facts.name},
                                              {"meeting_id", result.order.meeting_id},
                                              {"reason", failure->reason},
                                              {"detail", failure->detail}}
            );
    }
    if (made)
        result.order.session.session_id = *made;
    results_.push_back(std::move(result));
}

/// What the end of any call of a project means for its other calls. `opens` is of the meeting that the call was for.
void SessionMaker::hear(
    ProjectCalls& project, ProviderFailure const* failure, std::optional<seconds> clock_ahead, sys_seconds opens
)
{
    std::string const& name = project.called.facts.name;
    // A second more or less is the answer's travel and rounding.
    if (clock_ahead && (!project.clock_ahead || std::chrono::abs(*clock_ahead - *project.clock_ahead) > seconds{1})) {
        project.clock_ahead = clock_ahead;
        unreported_.insert(name);
    }
    const bool was_open = project.pace.open();
    const SteadyClock::time_point steady = clock_.steady_now();
    bool pauses = false;
    if (failure == nullptr || is_of_the_request(*failure)) {
        project.pace.succeeded();
    } else {
        if (!project.queue.empty())
            opens = std::min(opens, project.queue.begin()->first);
        const seconds patience = std::max(std::min(opens - last_safe - clock_.now(), patience_max), live_retry);
        pauses = project.pace.failed(*failure, steady, patience);
    }
    if (!project.pace.open()) {
        if (was_open) {
            project.closed_at = steady;
            unreported_.insert(name);
        }
        return;
    }
    if (!pauses)
        return; // was under way when the circuit opened
    unreported_.insert(name);
    take_back(project);
    project.refusal = *failure;
    const State state = needs_somebody(failure->kind) ? State::failed : State::pending;
    if (project.outage && (project.outage->state == state || project.outage->state == State::failed))
        return;
    project.outage = Outage{state, failure->reason, failure->detail};
    log_event(
        "circuit.opened"_event,
        {{"project", name}, {"reason", failure->reason}, {"detail", failure->detail}, {"next_at", next_probe(project)}}
    );
    for (auto const& [meeting, waits_for] : project.queued)
        to_look_at_.push_back(meeting);
}

/// While the circuit is open.
sys_seconds SessionMaker::next_probe(ProjectCalls const& project) const
{
    return clock_.now() + std::chrono::ceil<seconds>(project.pace.probe_at() - clock_.steady_now());
}

ProjectStatus SessionMaker::status_of(ProjectCalls const& project) const
{
    ProjectFacts const& facts = project.called.facts;
    ProjectStatus row{facts.name, facts.provider, facts.project_key, facts.key_id, {}, {}};
    row.clock_ahead = project.clock_ahead;
    if (project.pace.open()) {
        row.reason = project.refusal.reason;
        row.detail = project.refusal.detail;
        row.next_at = next_probe(project);
    }
    return row;
}

EndedCall SessionMaker::ended(FinishedCall const& result) const
{
    EndedCall call{result.order.meeting, result.order.attempt, CallOutcome::created};
    call.session = result.order.session;
    if (result.outcome.session_id)
        return call;
    ProviderFailure const& failure = result.outcome.session_id.error();
    call.outcome = leaves_session(failure) ? CallOutcome::abandoned : CallOutcome::failed;
    call.state = needs_somebody(failure.kind) ? State::failed : State::pending;
    call.reason = failure.reason;
    call.detail = failure.detail;
    call.inputs = result.order.inputs;
    seconds base = retry_base;
    seconds cap = retry_cap;
    if (is_of_the_request(failure)) {
        base = permanent_base;
        cap = permanent_cap;
    } else if (auto const& outage = result.project->outage) { // it is told of that once, not of each failure in it
        call.state = outage->state;
        call.reason = outage->reason;
        call.detail = outage->detail;
        cap = outage_cap;
    }
    const seconds delay = backoff(result.order.attempts + 1, base, cap, result.order.meeting_id);
    const seconds floor = is_of_the_request(failure) ? delay : live_retry;
    call.next_at = retry_at(clock_.now(), delay, result.order.opens, last_safe, floor);
    log_event("call.planned"_event, [&] {
        return LogFields{
            {"project", result.project->called.facts.name},
            {"meeting_id", result.order.meeting_id},
            {"attempts", result.order.attempts + 1},
            {"reason", call.reason},
            {"next_at", call.next_at}};
    });
    return call;
}

boost::asio::awaitable<void> SessionMaker::run()
{
    for (;;) {
        SteadyClock::duration wait = busy_database;
        try {
            wait = co_await step();
        } catch (DatabaseFull const& error) {
            log_event("store.full"_event, {{"reason", error.what()}});
        } catch (DatabaseBusy const& error) {
            log_event("store.busy"_event, {{"reason", error.what()}});
        }
        if (failure_)
            std::rethrow_exception(failure_);
        co_await wakeup_.wait(wait);
        // Calls go on while their ends are gathered, for as long as there are orders on record.
        const SteadyClock::time_point until = clock_.steady_now() + gather;
        for (;;) {
            const SteadyClock::duration next = start_all();
            const SteadyClock::duration left = until - clock_.steady_now();
            if (next <= SteadyClock::duration::zero() || left <= SteadyClock::duration::zero())
                break;
            co_await wakeup_.wait(std::min(next, left));
        }
    }
}

void SessionMaker::request_stop()
{
    stopping_ = true;
    calls_.request_stop();
}

boost::asio::awaitable<void> SessionMaker::drain(SteadyClock::duration grace)
{
    stopping_ = true;
    for (auto const& [name, project] : projects_)
        take_back(*project);
    const SteadyClock::time_point deadline = clock_.steady_now() + grace;
    constexpr SteadyClock::duration moment = std::chrono::milliseconds{20};
    while (calls_.running() > 0 && clock_.steady_now() < deadline)
        co_await clock_.wait(moment);
    try {
        while (stepping_ || has_news()) // what came in time
            co_await step();
    } catch (DatabaseBusy const& error) { // the next start counts as abandoned what could not be recorded
        log_event("store.busy_at_stop"_event, {{"reason", error.what()}});
    }
    calls_.request_stop();
    while (calls_.running() > 0)
        co_await clock_.wait(moment);
}

} // namespace usher
