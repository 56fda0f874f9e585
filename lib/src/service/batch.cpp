// SPDX-License-Identifier: Apache-2.0
#include <usher/service/batch.hpp>

#include <algorithm>
#include <stdexcept>

#include <usher/store/errors.hpp>

namespace usher {

namespace {

/// Where a part of the database is damaged: reads each meeting by itself, so that the others are served.
void read_each(Batch& batch)
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

} // namespace

bool is_as_planned(MeetingSnapshot const& meeting, Plan const& planned)
{
    return !planned.has_work() && planned.state == meeting.state && planned.reason == meeting.reason &&
           planned.opens == meeting.opens && planned.closes == meeting.closes;
}

boost::asio::awaitable<void> Preparer::prepare(Batch& batch)
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

/// Finds or makes what tokens are signed for.
boost::asio::awaitable<void> Preparer::make_sessions(Batch& batch)
{
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        MeetingSnapshot const& meeting = batch.meetings[i];
        const SessionStep step = batch.plans[i].session;
        if (step != SessionStep::create) {
            batch.sessions.push_back(step == SessionStep::publish ? meeting.staged : meeting.published);
            continue;
        }
        Project const& project = projects_.find(meeting.meeting->project)->second;
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

void Preparer::sign(Batch& batch)
{
    struct SigningJob {
        std::size_t meeting;
        std::size_t step;
        Project const* project;
        TokenEntropy entropy;
    };
    std::vector<SigningJob> jobs;
    for (std::size_t i = 0; i < batch.meetings.size(); ++i) {
        const auto project = projects_.find(batch.plans[i].project);
        const bool signs = batch.sessions[i] && project != projects_.end();
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

} // namespace usher
