// SPDX-License-Identifier: Apache-2.0
#include <usher/service/session_maker.hpp>

#include <algorithm>

#include <boost/asio/this_coro.hpp>
#include <spdlog/spdlog.h>

#include <usher/core/backoff.hpp>
#include <usher/core/printable.hpp>

namespace usher {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t queue_max = 10'000; // of one project; what does not fit is ordered again later
constexpr auto idle = std::chrono::hours{1};
constexpr auto busy_database = std::chrono::seconds{1};
constexpr auto gather = std::chrono::milliseconds{25}; // what ends within it is recorded in one commit
// A meeting's own back-off. A refusal that will be repeated is asked for again too, but seldom: the vendor's side may
// be put right without a word to us.
constexpr seconds retry_base{2};
constexpr seconds retry_cap{15 * 60};
constexpr seconds permanent_base{10 * 60};
constexpr seconds permanent_cap{6 * 3600};
constexpr seconds last_safe{60}; // before `opens`: the last moment to try again, whatever was asked for
constexpr seconds live_retry{10};
constexpr std::size_t disconnects_at_once = 100;
constexpr int disconnect_tries = 10; // then whoever is there stays there, and history says so
constexpr seconds disconnect_cap{60};

} // namespace

struct SessionMaker::Project {
    Line line;
    Pace pace;
    std::set<std::pair<sys_seconds, MeetingNo>> queue; ///< By need.
    std::map<MeetingNo, sys_seconds> queued;
    std::vector<Order> begun;          ///< On record, and waiting for a place.
    std::vector<MeetingNo> backed_off; ///< Failed for reasons that all share; to be tried again once those are over.
    std::optional<Outage> outage{};
    std::optional<seconds> clock_ahead{};

    void take(MeetingNo meeting)
    {
        if (const auto found = queued.find(meeting); found != queued.end()) {
            queue.erase({found->second, meeting});
            queued.erase(found);
        }
    }
};

SessionMaker::SessionMaker(
    boost::asio::any_io_executor executor, Store& store, Clock& clock, RandomSource& random,
    std::function<void()> changed
)
    : executor_{executor},
      store_{store},
      clock_{clock},
      random_{random},
      changed_{std::move(changed)},
      wakeup_{executor},
      calls_{executor, [this](std::string const&, std::exception_ptr error) {
                 failure_ = std::move(error);
                 wakeup_.notify();
             }}
{}

void SessionMaker::configure(std::vector<Line> lines, Policy base)
{
    take_back(); // what is on record and was not sent yet will not be sent for the old project
    projects_.clear();
    known_ = {};
    known_.base = base;
    rows_.emplace();
    for (Line& line : lines) {
        known_.by_name.emplace(line.facts.name, line.facts);
        rows_->push_back({line.facts.name, line.facts.provider, line.facts.project_key, line.facts.key_id, {}, {}});
        if (!line.facts.network)
            continue;
        const std::string name = line.facts.name;
        const Pace pace{name, line.pace, clock_.steady_now()};
        projects_.emplace(name, std::make_shared<Project>(Project{std::move(line), pace, {}, {}, {}, {}}));
    }
    wakeup_.notify(); // what was taken back and the projects' rows are still to be written
}

void SessionMaker::take_back()
{
    for (auto const& [name, project] : projects_)
        for (Order const& order : std::exchange(project->begun, {})) {
            unsent_.push_back({order.meeting, order.attempt, EndedCall::Outcome::unsent});
            busy_.erase(order.meeting);
        }
}

void SessionMaker::want(std::string_view project_name, MeetingNo meeting, sys_seconds opens)
{
    const auto found = projects_.find(project_name);
    if (found == projects_.end() || busy_.contains(meeting))
        return;
    Project& project = *found->second;
    project.take(meeting);
    project.queue.insert({opens, meeting});
    project.queued.emplace(meeting, opens);
    if (project.queue.size() > queue_max)
        project.take(std::prev(project.queue.end())->second);
    wakeup_.notify();
}

void SessionMaker::want_disconnects()
{
    disconnects_wanted_ = true;
    wakeup_.notify();
}

void SessionMaker::tell_outages(Projects& projects) const
{
    for (auto& [name, facts] : projects.by_name)
        if (const auto found = projects_.find(name); found != projects_.end())
            facts.outage = found->second->outage;
}

bool SessionMaker::busy()
{
    if (!busy_.empty() || !results_.empty())
        return true;
    return std::any_of(projects_.begin(), projects_.end(), [](auto const& entry) {
        return !entry.second->pace.open() && !entry.second->queue.empty();
    });
}

Steady::duration SessionMaker::step()
{
    const sys_seconds now = clock_.now();
    const Steady::time_point steady = clock_.steady_now();

    // Which orders may begin: those that can be called now, and some that wait for a place, so that none is idle while
    // the database is written to.
    std::vector<std::pair<std::shared_ptr<Project>, Order>> beginning;
    std::vector<std::pair<Project*, MeetingNo>> looked_at;
    std::vector<MeetingNo> begun;
    for (auto const& [name, project] : projects_) {
        if (stopping_)
            break;
        const std::size_t wanted = project->pace.at_hand(steady);
        std::vector<MeetingNo> first;
        for (auto entry = project->queue.begin();
             entry != project->queue.end() && project->begun.size() + first.size() < wanted; ++entry)
            first.push_back(entry->second);
        for (const MeetingNo meeting : first)
            looked_at.emplace_back(project.get(), meeting);
        for (MeetingSnapshot const& meeting : store_.read_orders(first)) {
            const Plan planned = plan(meeting, known_, now);
            if (planned.session != SessionStep::order || planned.blocked || meeting.meeting->project != name)
                continue; // the platform changed its mind; the passes know
            ProjectFacts const& facts = project->line.facts;
            Order order{meeting.number, *planned.opens, meeting.id, 0, {}, meeting.meeting->options, planned.inputs};
            order.session = {{}, {}, facts.provider, facts.name, facts.project_key, to_text(meeting.meeting->options)};
            order.attempts = meeting.failed_inputs == planned.inputs ? meeting.attempts : 0;
            begun.push_back(meeting.number);
            beginning.emplace_back(project, std::move(order));
        }
    }

    std::vector<EndedCall> over = unsent_;
    for (Result const& result : results_)
        over.push_back(ended(result));
    // Whatever is written here may find the database busy: then all is as before, for the next step.
    const CallRecord record = store_.record_calls(over, begun, now);
    unsent_.clear();
    for (auto const& [project, meeting] : looked_at)
        project->take(meeting);
    const std::vector<Result> recorded = std::exchange(results_, {});
    for (Result const& result : recorded)
        busy_.erase(result.order.meeting);
    for (std::size_t i = 0; i < beginning.size(); ++i) {
        auto& [project, order] = beginning[i];
        order.attempt = record.attempts[i];
        busy_.insert(order.meeting);
        project->begun.push_back(std::move(order));
    }
    if (!recorded.empty())
        changed_();
    if (rows_) {
        store_.record_projects(*rows_, true, now);
        rows_.reset();
    }
    const bool changed = !to_retry_.empty() || !to_look_at_.empty();
    store_.mark_to_retry(to_retry_);
    to_retry_.clear();
    store_.mark(to_look_at_);
    to_look_at_.clear();
    if (changed)
        changed_();
    while (!thrown_out_.empty()) {
        auto const& [session, event, detail] = thrown_out_.back();
        store_.end_disconnect(session, event, detail, now);
        disconnects_.erase(session.session);
        thrown_out_.pop_back();
    }
    for (std::string const& name : unreported_)
        if (const auto found = projects_.find(name); found != projects_.end()) {
            Project const& project = *found->second;
            ProjectFacts const& facts = project.line.facts;
            ProjectStatus row{facts.name, facts.provider, facts.project_key, facts.key_id, {}, {}};
            row.clock_ahead = project.clock_ahead;
            if (project.outage) {
                row.reason = project.outage->reason;
                row.detail = project.outage->detail;
                row.next_at = now + std::chrono::ceil<seconds>(project.pace.probe_at() - steady);
            }
            store_.record_projects({&row, 1}, false, now);
        }
    unreported_.clear();

    const Steady::duration wait = std::min(start_all(), start_disconnects());
    return results_.empty() ? wait : Steady::duration::zero();
}

/// Returns how long nothing more can be started, unless a call ends.
Steady::duration SessionMaker::start_all()
{
    Steady::duration wait = idle;
    for (auto const& [name, project] : projects_) {
        start(project);
        const Steady::time_point now = clock_.steady_now();
        if (const auto next = project->pace.next(now); next && !(project->queue.empty() && project->begun.empty()))
            wait = std::min(wait, *next - now);
    }
    return std::max(wait, Steady::duration::zero());
}

void SessionMaker::start(std::shared_ptr<Project> const& project)
{
    while (!stopping_ && !project->begun.empty() && project->pace.allowance(clock_.steady_now()) > 0) {
        Order order = std::move(project->begun.front());
        project->begun.erase(project->begun.begin());
        project->pace.started();
        calls_.spawn("session call", call(project, std::move(order)));
    }
}

boost::asio::awaitable<void> SessionMaker::call(std::shared_ptr<Project> project, Order order)
{
    SessionOrder asked{order.options, clock_.now(), {random_.next(), random_.next(), random_.next()}};
    CreateOutcome outcome = co_await project->line.provider->create_session(std::move(asked));
    Result result{project, std::move(order), std::move(outcome)};
    note(result);
    results_.push_back(std::move(result));
    start(project);
    wakeup_.notify();
}

/// Starts what may be started of the sessions that are marked; returns when to look again.
Steady::duration SessionMaker::start_disconnects()
{
    if (!disconnects_wanted_ || stopping_)
        return idle;
    const Steady::time_point now = clock_.steady_now();
    Steady::duration wait = idle;
    const std::vector<Store::Disconnect> marked = store_.read_disconnects(disconnects_at_once);
    disconnects_wanted_ = !marked.empty();
    for (Store::Disconnect const& session : marked) {
        const auto found = projects_.find(session.project);
        if (found == projects_.end()) {
            store_.end_disconnect(session, "disconnect_failed", "its project is not configured", clock_.now());
            continue;
        }
        Tries& tries = disconnects_[session.session];
        if (tries.under_way)
            continue;
        if (tries.next > now) {
            wait = std::min(wait, tries.next - now);
            continue;
        }
        if (found->second->pace.allowance(now) == 0) {
            const auto next = found->second->pace.next(now);
            wait = std::min<Steady::duration>(wait, next ? *next - now : std::chrono::seconds{1});
            continue;
        }
        tries.under_way = true;
        found->second->pace.started();
        calls_.spawn("disconnect call", disconnect(found->second, session));
    }
    return wait;
}

boost::asio::awaitable<void> SessionMaker::disconnect(std::shared_ptr<Project> project, Store::Disconnect session)
{
    SessionOrder asked{{}, clock_.now(), {random_.next(), random_.next(), random_.next()}};
    const DisconnectOutcome outcome =
        co_await project->line.provider->disconnect_all(session.session_id, std::move(asked));
    Tries& tries = disconnects_[session.session];
    tries.under_way = false;
    project->pace.released(); // the circuit is for sessions; this has a patience of its own
    if (outcome.disconnected) {
        tries.under_way = true; // until it is on record
        thrown_out_.push_back({session, "disconnected", std::to_string(*outcome.disconnected) + " connections"});
    } else {
        ProviderFailure const& failure = outcome.disconnected.error();
        ++tries.failures;
        tries.next = clock_.steady_now() + backoff(tries.failures, retry_base, disconnect_cap, session.session_id);
        if (tries.failures == disconnect_tries) {
            tries.under_way = true;
            thrown_out_.push_back({session, "disconnect_failed", failure.reason + ": " + failure.detail});
        }
    }
    disconnects_wanted_ = true;
    wakeup_.notify();
}

void SessionMaker::note(Result const& result)
{
    Project& project = *result.project;
    const bool was_open = project.pace.open();
    CreateOutcome const& outcome = result.outcome;
    if (outcome.clock_ahead && outcome.clock_ahead != project.clock_ahead) {
        // A second more or less is the answer's travel and rounding.
        if (!project.clock_ahead || std::chrono::abs(*outcome.clock_ahead - *project.clock_ahead) > seconds{1}) {
            project.clock_ahead = outcome.clock_ahead;
            unreported_.push_back(project.line.facts.name);
        }
    }
    const sys_seconds now = clock_.now();
    ProviderFailure const* const failure = outcome.session_id ? nullptr : &outcome.session_id.error();
    const bool answered = failure == nullptr || (failure->kind == FailureKind::permanent && !failure->of_project);
    if (answered) {
        project.pace.succeeded();
    } else {
        sys_seconds first = result.order.opens;
        if (!project.queue.empty())
            first = std::min(first, project.queue.begin()->first);
        const seconds patience = std::max(first - last_safe - now, live_retry);
        project.pace.failed(*failure, clock_.steady_now(), patience);
        project.backed_off.push_back(result.order.meeting);
        if (project.backed_off.size() > queue_max)
            project.backed_off.erase(project.backed_off.begin());
    }
    if (failure != nullptr)
        spdlog::warn(
            "session call failed meeting={} project={} reason={} detail=\"{}\"", printable(result.order.meeting_id),
            project.line.facts.name, failure->reason, failure->detail
        );
    if (project.pace.open() && failure != nullptr) {
        project.outage =
            Outage{needs_somebody(failure->kind) ? State::failed : State::pending, failure->reason, failure->detail};
    }
    if (project.pace.open() || was_open)
        report(project, was_open);
}

/// Makes a circuit that opened or closed visible: to status, and to the meetings that wait for it.
void SessionMaker::report(Project& project, bool was_open)
{
    unreported_.push_back(project.line.facts.name);
    if (project.pace.open() && was_open)
        return;
    for (auto const& [opens, meeting] : project.queue)
        to_look_at_.push_back(meeting);
    if (project.pace.open()) {
        spdlog::warn(
            "provider is not asked for now project={} reason={} detail=\"{}\"", project.line.facts.name,
            project.outage->reason, project.outage->detail
        );
        return;
    }
    spdlog::info("provider is asked again project={}", project.line.facts.name);
    project.outage.reset();
    to_retry_.insert(to_retry_.end(), project.backed_off.begin(), project.backed_off.end());
    project.backed_off.clear();
}

EndedCall SessionMaker::ended(Result const& result) const
{
    EndedCall call{result.order.meeting, result.order.attempt, EndedCall::Outcome::created};
    call.session = result.order.session;
    if (result.outcome.session_id) {
        call.session.session_id = *result.outcome.session_id;
        return call;
    }
    ProviderFailure const& failure = result.outcome.session_id.error();
    call.outcome = leaves_session(failure) ? EndedCall::Outcome::abandoned : EndedCall::Outcome::failed;
    call.state = needs_somebody(failure.kind) ? State::failed : State::pending;
    call.reason = failure.reason;
    call.detail = failure.detail;
    call.inputs = result.order.inputs;
    const bool seldom = failure.kind == FailureKind::permanent && !failure.of_project;
    seconds delay = backoff(
        result.order.attempts + 1, seldom ? permanent_base : retry_base, seldom ? permanent_cap : retry_cap,
        result.order.meeting_id
    );
    if (failure.retry_after)
        delay = std::max(delay, *failure.retry_after);
    call.next_at = retry_at(clock_.now(), delay, result.order.opens, last_safe, seldom ? delay : live_retry);
    return call;
}

boost::asio::awaitable<void> SessionMaker::run()
{
    for (;;) {
        Steady::duration wait = busy_database;
        try {
            wait = step();
        } catch (DatabaseBusy const& error) {
            spdlog::warn("database busy, trying again reason=\"{}\"", error.what());
        }
        if (failure_)
            std::rethrow_exception(failure_);
        co_await wakeup_.wait(wait);
        // Calls go on while their ends are gathered, for as long as there are orders on record.
        const Steady::time_point until = clock_.steady_now() + gather;
        for (;;) {
            const Steady::duration next = start_all();
            const Steady::duration left = until - clock_.steady_now();
            if (next <= Steady::duration::zero() || left <= Steady::duration::zero())
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

boost::asio::awaitable<void> SessionMaker::drain(Steady::duration grace)
{
    stopping_ = true;
    take_back();
    const Steady::time_point deadline = clock_.steady_now() + grace;
    constexpr Steady::duration moment = std::chrono::milliseconds{20};
    while (calls_.running() > 0 && clock_.steady_now() < deadline)
        co_await clock_.wait(moment);
    try {
        step();                           // what came in time
    } catch (DatabaseBusy const& error) { // the next start counts as abandoned what could not be recorded
        spdlog::warn("database busy at stop reason=\"{}\"", error.what());
    }
    calls_.request_stop();
    while (calls_.running() > 0)
        co_await clock_.wait(moment);
}

} // namespace usher
