// SPDX-License-Identifier: Apache-2.0
#include <usher/service/provisioning.hpp>

#include <algorithm>
#include <deque>
#include <stdexcept>

#include <spdlog/spdlog.h>

namespace usher {

namespace {

// The write lock is held for at most 10 ms; slices aim at half of it, so that one slow commit stays below.
constexpr auto lock_goal = std::chrono::milliseconds{5};
constexpr std::size_t slice_tokens_min = 16;
constexpr std::size_t slice_tokens_max = 4096;
constexpr std::size_t slice_meetings_max = 128;
// A sweep takes turns with everybody else: with platforms for the lock, with signals for the thread.
constexpr std::size_t chunk_rows = 500;
constexpr auto chunk_pause = std::chrono::milliseconds{1};

} // namespace

/// What goes into one transaction. Tokens are kept in a deque, since publications refer to them.
struct Provisioner::Slice {
    std::deque<std::vector<SignedToken>> tokens;
    std::vector<Publication> publications;
    std::size_t token_count = 0;
};

PassResult& PassResult::operator+=(PassResult const& other)
{
    claimed += other.claimed;
    published += other.published;
    return *this;
}

Provisioner::Provisioner(
    Store& store, Clock& clock, RandomSource& random, SessionMaker& maker, std::vector<Project> projects,
    ProvisioningSettings settings
)
    : store_{store}, clock_{clock}, random_{random}, maker_{maker}
{
    configure(std::move(projects), settings);
    data_version_ = store_.data_version();
}

void Provisioner::configure(std::vector<Project> projects, ProvisioningSettings settings)
{
    settings_ = settings;
    projects_ = {};
    by_name_.clear();
    projects_.base = settings_.base;
    std::vector<SessionMaker::Line> lines;
    for (Project& project : projects) {
        project.facts.network = project.provider->needs_network();
        project.facts.policy_hash = hash_of(project.facts);
        lines.push_back({project.facts, project.provider, project.pace});
        projects_.by_name.emplace(project.facts.name, project.facts);
        std::string name = project.facts.name;
        by_name_.emplace(std::move(name), std::move(project));
    }
    maker_.configure(std::move(lines), settings_.base);
}

boost::asio::awaitable<void> Provisioner::reconcile()
{
    for (std::string const& trigger : store_.restore_triggers())
        spdlog::warn("trigger restored name={}", trigger);
    std::vector<std::uint64_t> hashes;
    for (auto const& [name, facts] : projects_.by_name)
        hashes.push_back(facts.policy_hash);
    std::optional<std::int64_t> number = 0;
    while (number && !stopping_) {
        number = store_.mark_policy(hashes, *number);
        co_await clock_.wait(chunk_pause);
    }
    std::optional<std::string> id = std::string{};
    while (id && !stopping_) {
        id = store_.add_missing(*id, chunk_rows);
        co_await clock_.wait(chunk_pause);
    }

    MeetingNo after{0};
    while (!stopping_) {
        const std::vector<MeetingSnapshot> meetings = store_.read(after, chunk_rows);
        if (meetings.empty())
            break;
        after = meetings.back().number;
        const sys_seconds now = clock_.now();
        std::vector<MeetingNo> wrong;
        for (MeetingSnapshot const& meeting : meetings)
            if (meeting.claim > unix_seconds(now) && plan(meeting, projects_, now).has_work())
                wrong.push_back(meeting.number);
        store_.mark(wrong);
        co_await clock_.wait(chunk_pause);
    }
}

boost::asio::awaitable<PassResult> Provisioner::settle()
{
    PassResult total;
    for (;;) {
        const PassResult result = co_await pass();
        total += result;
        if (!result.more || stopping_ || pausing_) {
            pausing_ = false;
            co_return total;
        }
    }
}

boost::asio::awaitable<PassResult> Provisioner::pass()
{
    const auto requests = store_.advance_requests(clock_.now());
    for (RequestNews const& news : requests.finished)
        spdlog::info("request finished id={} result=\"{}\"", news.request_id, news.detail);
    if (claims_left_) { // by a pass that failed
        store_.release_claims();
        claims_left_ = false;
    }
    claims_left_ = true;
    const std::vector<MeetingSnapshot> meetings =
        store_.claim(clock_.now(), settings_.meetings_max, settings_.participants_max);
    PassResult result;
    if (!meetings.empty())
        result = co_await work(meetings);
    if (stopping_)
        store_.release_claims();
    claims_left_ = false;
    result.more = requests.more || !meetings.empty();
    co_return result;
}

boost::asio::awaitable<PassResult> Provisioner::work(std::vector<MeetingSnapshot> const& meetings)
{
    PassResult result;
    result.claimed = meetings.size();
    const sys_seconds now = clock_.now();
    maker_.tell_outages(projects_);
    std::vector<Plan> plans;
    plans.reserve(meetings.size());
    for (MeetingSnapshot const& meeting : meetings)
        plans.push_back(plan(meeting, projects_, now));

    std::vector<std::optional<SessionNo>> numbers(meetings.size());
    std::vector<std::string> session_ids(meetings.size());
    co_await create_sessions(meetings, plans, numbers, session_ids);

    Slice slice;
    for (std::size_t i = 0; i < meetings.size() && !stopping_; ++i) {
        MeetingSnapshot const& meeting = meetings[i];
        Plan& planned = plans[i];
        Publication publication;
        publication.meeting = &meeting;
        publication.plan = &planned;
        publication.session = numbers[i];
        const auto project = by_name_.find(planned.project);
        std::vector<SignedToken>* tokens = &slice.tokens.emplace_back();
        for (SignStep const& step : planned.sign) {
            if (!numbers[i] || project == by_name_.end())
                break;
            ParticipantRow const& participant = meeting.participants[step.participant];
            ProjectFacts const& facts = project->second.facts;
            const sys_seconds issued = now - facts.policy.clock_skew;
            const TokenClaims claims{
                session_ids[i],
                *participant.role,
                issued,
                expiry_of(issued, *planned.closes, facts.policy),
                participant.connection_data,
                participant.layout_classes};
            const TokenEntropy entropy{random_.next(), random_.next()};
            auto token = project->second.signer.sign(claims, entropy, now);
            if (!token) {
                planned.problems.push_back(
                    {step.participant, std::string{to_text(token.error().code)}, token.error().message}
                );
                planned.reason = "participant_problems";
                planned.detail = "some participants cannot be served; each is listed with its reason";
                continue;
            }
            tokens->push_back(
                {step.participant, std::move(*token), step.reason, issued, claims.expires_at, facts.key_id,
                 fingerprint_of(participant, session_ids[i], facts.format)}
            );
            ++slice.token_count;
            if (slice.token_count >= slice_tokens_) {
                Publication part = publication;
                part.tokens = *tokens;
                part.last = false;
                slice.publications.push_back(part);
                co_await flush(slice, result);
                tokens = &slice.tokens.emplace_back();
                if (stopping_)
                    co_return result;
            }
        }
        publication.tokens = *tokens;
        slice.publications.push_back(publication);
        if (slice.publications.size() >= slice_meetings_max)
            co_await flush(slice, result);
    }
    co_await flush(slice, result);
    for (std::size_t i = 0; i < meetings.size(); ++i)
        if (plans[i].session == SessionStep::order && !plans[i].blocked)
            maker_.want(meetings[i].meeting->project, meetings[i].number, *plans[i].opens);
        else if (plans[i].disconnect)
            maker_.want_disconnects();
    co_return result;
}

boost::asio::awaitable<void> Provisioner::create_sessions(
    std::vector<MeetingSnapshot> const& meetings, std::vector<Plan>& plans,
    std::vector<std::optional<SessionNo>>& numbers, std::vector<std::string>& session_ids
)
{
    std::vector<std::size_t> created;
    std::vector<MeetingNo> begun;
    for (std::size_t i = 0; i < meetings.size(); ++i) {
        MeetingSnapshot const& meeting = meetings[i];
        if (plans[i].session == SessionStep::create) {
            created.push_back(i);
            begun.push_back(meeting.number);
            continue;
        }
        const std::optional<SessionRow>& session =
            plans[i].session == SessionStep::publish ? meeting.staged : meeting.published;
        if (session) {
            numbers[i] = session->number;
            session_ids[i] = session->session_id;
        }
    }
    if (created.empty())
        co_return;

    // The intent is on record before the call, so that a lost answer is counted.
    const CallRecord intents = store_.record_calls({}, begun, clock_.now());
    std::vector<EndedCall> ended;
    for (std::size_t k = 0; k < created.size(); ++k) {
        MeetingSnapshot const& meeting = meetings[created[k]];
        Project& project = by_name_.find(meeting.meeting->project)->second;
        SessionOrder order{meeting.meeting->options, clock_.now(), {random_.next(), random_.next(), random_.next()}};
        CreateOutcome outcome = co_await project.provider->create_session(std::move(order));
        if (!outcome.session_id) // a provider that needs no network has no reason to fail
            throw std::runtime_error{project.facts.name + ": " + outcome.session_id.error().detail};
        EndedCall call{meeting.number, intents.attempts[k], EndedCall::Outcome::created};
        call.claim = meeting.claim;
        call.session = {
            {},
            std::move(*outcome.session_id),
            project.facts.provider,
            project.facts.name,
            project.facts.project_key,
            to_text(meeting.meeting->options)};
        ended.push_back(std::move(call));
    }
    const CallRecord record = store_.record_calls(ended, {}, clock_.now());
    for (std::size_t k = 0; k < created.size(); ++k) {
        numbers[created[k]] = record.staged[k];
        session_ids[created[k]] = ended[k].session.session_id;
    }
}

boost::asio::awaitable<void> Provisioner::flush(Slice& slice, PassResult& result)
{
    if (slice.publications.empty())
        co_return;
    const auto version = store_.data_version();
    const auto started = clock_.steady_now();
    if (version != data_version_) {
        data_version_ = version;
        platform_wrote_ = started;
    }
    result.published += store_.publish(slice.publications, clock_.now());
    const auto held = clock_.steady_now() - started;
    store_.keep_wal_small();
    slice = Slice{};
    if (held > lock_goal)
        slice_tokens_ = std::max(slice_tokens_min, slice_tokens_ / 2);
    else if (held < lock_goal / 2)
        slice_tokens_ = std::min(slice_tokens_max, slice_tokens_ * 2);
    // SQLite's busy handler is unfair: while a platform writes, it needs a gap in which its retry can get through.
    const bool busy_neighbour = started - platform_wrote_ < std::chrono::seconds{1};
    co_await clock_.wait(busy_neighbour ? 2 * held : std::chrono::steady_clock::duration::zero());
}

Result<void> Provisioner::check_signature(std::string_view project, Credential const& credential) const
{
    const auto found = by_name_.find(project);
    if (found == by_name_.end())
        return {}; // a token of a project that was configured once cannot be checked
    return check_token(found->second.signer, credential);
}

} // namespace usher
