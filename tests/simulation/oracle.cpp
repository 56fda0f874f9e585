// SPDX-License-Identifier: Apache-2.0
#include "simulation/oracle.hpp"

#include <algorithm>
#include <utility>

namespace usher::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t story_lines = 60;
constexpr auto minutes_of_drift = 5min;
constexpr auto views_back_within = 70min; // two of the daemon's slow looks, and a minute between two repairs
constexpr char changed_sql[] = "SELECT meeting_id, seq FROM agenda WHERE seq > ? ORDER BY seq";
constexpr char credentials_sql[] =
    "SELECT participant_id, project, project_key, session_id, token, role, issued_at, expires_at FROM join_credential "
    "WHERE meeting_id = ? ORDER BY participant_id";

/// Of a request.
bool is_open(std::string_view state)
{
    return state == "filed" || state == "running";
}

} // namespace

bool Oracle::Verified::says_the_same_as(Credential const& other) const
{
    return credential.token == other.token && credential.session_id == other.session_id &&
           credential.role == other.role && credential.issued_at == other.issued_at &&
           credential.expires_at == other.expires_at && credential.project_key == other.project_key &&
           !credential.token.empty();
}

Oracle::Oracle(VirtualClock& clock, MemoryVfs& vfs, Story& story, Network& network, std::string database)
    : clock_{clock}, vfs_{vfs}, story_{story}, network_{network}, database_{std::move(database)}
{}

void Oracle::open(ProcessId process)
{
    process_ = process;
    const As as{vfs_, process_};
    connection_ = std::make_unique<SQLite::Database>(database_, SQLite::OPEN_READONLY);
    changed_ = std::make_unique<SQLite::Statement>(*connection_, changed_sql);
    followed_row_ = std::make_unique<SQLite::Statement>(*connection_, "SELECT seq, restores FROM daemon WHERE id = 1");
    store_.emplace(StoreFile::open_read_only(database_));
}

void Oracle::close()
{
    const As as{vfs_, process_};
    changed_.reset();
    credentials_.reset();
    request_state_.reset();
    followed_row_.reset();
    connection_.reset();
    store_.reset();
}

void Oracle::configure(Setting const& setting)
{
    projects_ = {};
    projects_.base = setting.policy;
    for (ProjectSetting const& one : setting.projects) {
        TokenSigner signer = one.signer();
        ProjectFacts facts;
        facts.name = one.name;
        facts.provider = one.provider();
        facts.project_key = one.key;
        facts.format = TokenFormat::jwt;
        facts.policy = setting.policy;
        projects_.by_name.emplace(one.name, facts);
        auto& known = signers_[one.key];
        if (known.empty() || known.back().key_id() != signer.key_id())
            known.push_back(std::move(signer));
    }
}

void Oracle::report(std::string promise, std::string const& meeting, std::string const& what)
{
    story_.tell("VIOLATION of " + promise + ": " + what, meeting);
    violations_.push_back({std::move(promise), meeting, what});
    if (violations_.size() > 1)
        return;
    first_at_ = clock_.steady_now();
    story_so_far_ = story_.last(meeting, story_lines);
}

template <class Read>
bool Oracle::sees(Read read)
{
    try {
        read();
    } catch (SQLite::Exception const& error) {
        if (std::string_view{error.what()}.find("no such table") == std::string_view::npos)
            throw;
        credentials_.reset();
        request_state_.reset();
        if (!missing_since_)
            missing_since_ = clock_.steady_now();
        story_.tell(std::string{"a reader is told: "} + error.what());
        return false;
    }
    return true;
}

/// Made when it is wanted: it cannot be while its view is gone.
SQLite::Statement& Oracle::credentials_of(std::string const& meeting)
{
    if (!credentials_)
        credentials_ = std::make_unique<SQLite::Statement>(*connection_, credentials_sql);
    credentials_->tryReset();
    credentials_->bind(1, meeting);
    return *credentials_;
}

void Oracle::check_views()
{
    if (blind_ || !missing_since_)
        return;
    const As as{vfs_, process_};
    const bool is_back = sees([&] {
        for (const std::string view : {"join_credential", "request_status"})
            SQLite::Statement{*connection_, "SELECT 1 FROM " + view + " LIMIT 1"}.executeStep();
    });
    if (is_back)
        missing_since_.reset();
    else if (clock_.steady_now() - *missing_since_ > views_back_within)
        report("P1", "", "a view that was dropped is not put back");
}

void Oracle::look()
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    check_followers();
    std::vector<std::string> meetings;
    changed_->bind(1, last_seq_);
    while (changed_->executeStep()) {
        meetings.push_back(changed_->getColumn(0).getString());
        last_seq_ = changed_->getColumn(1).getInt64();
    }
    changed_->reset();
    // What is said to be done, maybe with nothing published.
    sees([&] {
        for (auto const& [meeting, asked] : asked_)
            if (!is_open(request_state(asked.request_id)))
                meetings.push_back(meeting);
    });
    for (std::string const& meeting : meetings)
        check(meeting);
}

void Oracle::check(std::string const& meeting)
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    sees([&] { check_one(meeting); });
}

void Oracle::check_one(std::string const& meeting)
{
    const sys_seconds now = clock_.now();
    std::optional<MeetingSnapshot> read = store_->read_one(meeting);
    if (!read || read->is_unreadable)
        return;
    MeetingEvidence evidence;
    evidence.meeting = std::move(*read);
    evidence.due = !sound_ || evidence.meeting.due_at <= unix_seconds(now);
    if (evidence.due && tainted_.contains(meeting))
        return;
    tainted_.erase(meeting);
    SQLite::Statement& credentials = credentials_of(meeting);
    while (credentials.executeStep()) {
        const auto column = [&](int i) { return credentials.getColumn(i).getString(); };
        const auto instant = [&](int i) { return from_unix(credentials.getColumn(i).getInt64()); };
        evidence.published.push_back(
            {column(0), column(1), column(2), column(3), column(4), column(5), instant(6), instant(7)}
        );
        if (sound_ && !evidence.due && evidence.published.back().issued_at > clock_.true_now())
            report("P1", meeting, "the vendor refuses the token of " + column(0) + ", which is from its future");
        story_.add_to_hash(column(0));
        story_.add_to_hash(column(4));
        ++rows_seen_;
    }
    credentials.reset();
    const SignatureCheck verify = [&](std::string_view, Credential const& credential) {
        return verified(meeting, credential);
    };
    for (Violation const& violation : check_promises(evidence, projects_, verify, now))
        report(violation.promise, violation.meeting_id, violation.what);
    std::string line = std::string{to_text(evidence.meeting.state)} + " " + evidence.meeting.reason + " " +
                       std::to_string(evidence.published.size()) + " credentials";
    if (evidence.due)
        line += ", due";
    check_requests(meeting, evidence);
    if (sound_ && !evidence.due) {
        check_rows(meeting, evidence.meeting);
        if (evidence.meeting.state == State::ready)
            check_keys(meeting, evidence.published);
    }
    if (auto const& session = evidence.meeting.published) {
        line += ", session " + session->session_id.substr(0, 40);
        check_session(meeting, session->session_id, session->adopted, session->provider == "sandbox");
    } else {
        // A session outlives its meeting by the retention, so that a meeting that is moved after its end keeps it.
        const bool was_served = sessions_.erase(meeting) > 0 && !free_.contains(meeting);
        if (was_served && sound_ && !evidence.due && evidence.meeting.state == State::ended &&
            evidence.meeting.closes &&
            *evidence.meeting.closes + projects_.base.retention > clock_.true_now() + minutes_of_drift)
            report("P6", meeting, "its session is purged before the retention is over");
    }
    story_.tell(std::move(line), meeting);
}

/// By any key that was ever configured. What was found out of exactly this credential at the last look is true still.
Result<void> Oracle::verified(std::string const& meeting, Credential const& credential)
{
    Result<void> result = fail(Errc::token_malformed, "is of no project that was ever configured");
    const auto found = signers_.find(credential.project_key);
    if (found == signers_.end())
        return result;
    Verified& known = verified_[meeting][credential.participant_id];
    if (known.says_the_same_as(credential))
        return {};
    for (auto signer = found->second.rbegin(); signer != found->second.rend(); ++signer)
        if ((result = check_token(*signer, credential))) {
            known = {credential, std::string{signer->key_id()}};
            break;
        }
    return result;
}

/// Rows of usher's own that no reader sees now, and that would show later.
void Oracle::check_rows(std::string const& meeting, MeetingSnapshot const& read)
{
    if (!read.published || read.staged || read.state == State::failed || read.is_crowded)
        return;
    for (ParticipantRow const& participant : read.participants) {
        if (!participant.token || (participant.present && !participant.blocked))
            continue;
        report("P5", meeting, "the token of " + participant.id + " is kept though nobody may have it");
    }
}

/// What was asked for is not said to be done before it is.
void Oracle::check_requests(std::string const& meeting, MeetingEvidence const& evidence)
{
    auto [asked, end] = asked_.equal_range(meeting);
    while (asked != end) {
        const std::string state = request_state(asked->second.request_id);
        if (is_open(state)) {
            ++asked;
            continue;
        }
        std::string const& before = asked->second.session;
        auto const& now = evidence.meeting.published;
        if (state == "done")
            for (Credential const& credential : evidence.published)
                if (asked->second.tokens.contains(credential.token))
                    report(
                        "P8", meeting,
                        "a rotation is said to be done, and " + credential.participant_id + " has the token of before"
                    );
        // Of a project that is configured no more nothing can be made: what is there is kept, and the result says so.
        const bool is_kept = evidence.meeting.reason == "session_kept" || // which a person's problem may hide
                             (evidence.meeting.meeting && !projects_.find(evidence.meeting.meeting->project));
        if (state == "done" && evidence.meeting.state == State::ready && !before.empty() && now && !now->adopted &&
            !is_kept && now->session_id == before)
            report("P8", meeting, "a replacement is said to be done, and its session is the one of before");
        asked = asked_.erase(asked);
    }
}

/// Once a new secret is configured and all is settled, nothing of the old one is left.
void Oracle::check_keys(std::string const& meeting, std::vector<Credential> const& published)
{
    for (Credential const& credential : published) {
        const auto found = signers_.find(credential.project_key);
        if (found == signers_.end() || found->second.size() < 2)
            continue;
        Verified const& known = verified_[meeting][credential.participant_id];
        const bool is_of_last = known.says_the_same_as(credential) && known.key_id == found->second.back().key_id();
        if (!is_of_last && !check_token(found->second.back(), credential))
            report("P1", meeting, "the token of " + credential.participant_id + " is signed with a key of before");
    }
}

/// Who reads by seq misses nothing: when older rows come back, `restores` becomes another than he knows.
void Oracle::check_followers()
{
    if (!followed_row_->executeStep())
        return followed_row_->reset();
    const std::int64_t seq = followed_row_->getColumn(0).getInt64();
    const std::int64_t restores = followed_row_->getColumn(1).getInt64();
    followed_row_->reset();
    if (!sound_)
        return;
    if (std::exchange(must_tell_, false) && restores == restores_)
        report("P7", "", "followers are not told that older rows came back");
    followed_ = seq;
    restores_ = restores;
}

void Oracle::begin_anew()
{
    last_seq_ = 0;
    asked_.clear();
    withdrawn_.clear();
    if (blind_)
        return;
    const As as{vfs_, process_};
    SQLite::Statement row{*connection_, "SELECT seq FROM daemon WHERE id = 1"};
    if (row.executeStep())
        must_tell_ = row.getColumn(0).getInt64() < followed_;
}

std::optional<std::int64_t> Oracle::last_request(std::string const& meeting)
{
    SQLite::Statement query{*connection_, "SELECT max(id) FROM request WHERE meeting_id = ?"};
    query.bind(1, meeting);
    if (!query.executeStep() || query.getColumn(0).isNull())
        return std::nullopt;
    return query.getColumn(0).getInt64();
}

std::string Oracle::request_state(std::int64_t request_id)
{
    if (!request_state_)
        request_state_ =
            std::make_unique<SQLite::Statement>(*connection_, "SELECT state FROM request_status WHERE id = ?");
    SQLite::Statement& query = *request_state_;
    query.tryReset();
    query.bind(1, request_id);
    std::string state;
    if (query.executeStep() && !query.getColumn(0).isNull())
        state = query.getColumn(0).getString();
    query.reset();
    return state;
}

std::set<std::string> Oracle::tokens_of(std::string const& meeting)
{
    std::set<std::string> tokens;
    SQLite::Statement& credentials = credentials_of(meeting);
    while (credentials.executeStep())
        tokens.insert(credentials.getColumn(4).getString());
    credentials.reset();
    return tokens;
}

void Oracle::asked_to_rotate(std::string const& meeting)
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    sees([&] {
        if (const auto id = last_request(meeting))
            asked_.emplace(meeting, Asked{*id, tokens_of(meeting), {}, clock_.steady_now()});
    });
}

void Oracle::asked_to_replace(std::string const& meeting)
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    const auto session = sessions_.find(meeting);
    const auto id = last_request(meeting);
    if (id && session != sessions_.end())
        asked_.emplace(meeting, Asked{*id, {}, session->second});
}

void Oracle::check_rotations(Duration calm)
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    sees([&] {
        for (auto const& [meeting, asked] : asked_) {
            const bool is_rotation = asked.session.empty();
            if (!is_rotation || clock_.steady_now() - asked.at < calm || !is_open(request_state(asked.request_id)))
                continue;
            const std::optional<MeetingSnapshot> read = store_->read_one(meeting);
            if (read && read->state == State::ready && read->due_at > unix_seconds(clock_.now()))
                report("P8", meeting, "a rotation is not done, though its meeting is ready after a calm");
        }
    });
}

void Oracle::check_upkeep()
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    const auto none = [this](char const* promise, char const* what, std::string const& sql) {
        SQLite::Statement query{*connection_, sql};
        if (query.executeStep())
            report(promise, query.getColumn(0).getString(), what);
    };
    none(
        "P4", "a call for its session has no end",
        "SELECT a.meeting_id FROM session_attempt t JOIN agenda a USING (meeting_no) WHERE t.outcome = 'started'"
    );
    none(
        "P5", "tokens of a session that was replaced are left",
        "SELECT a.meeting_id FROM agenda a JOIN session s USING (meeting_no) WHERE s.session_no IS NOT a.session_no "
        "AND s.session_no IS NOT a.staged_no AND EXISTS (SELECT 1 FROM token t WHERE t.session_no = s.session_no)"
    );
    const seconds overdue = projects_.base.retention + std::chrono::days{2};
    none(
        "P6", "is over for longer than it is to be kept",
        "SELECT meeting_id FROM agenda WHERE state = 'ended' AND last_session_no IS NOT NULL AND closes < " +
            std::to_string(unix_seconds(clock_.true_now() - overdue))
    );
}

void Oracle::check_disconnect(std::string const& session_id)
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    SQLite::Statement query{
        *connection_, "SELECT a.meeting_id FROM agenda a JOIN session s USING (session_no) JOIN meeting m ON m.id = "
                      "a.meeting_id WHERE s.session_id = ? AND m.status = 'scheduled' AND a.due_at > ?2 AND a.closes > "
                      "?2 + 60"};
    query.bind(1, session_id);
    query.bind(2, unix_seconds(clock_.true_now()));
    if (query.executeStep())
        report("P5", query.getColumn(0).getString(), "people are thrown out of a meeting that is on");
}

void Oracle::check_session(std::string const& meeting, std::string const& session, bool adopted, bool is_sandbox)
{
    const auto before = sessions_.find(meeting);
    const bool is_new = before == sessions_.end() || before->second != session;
    if (!is_new)
        return;
    if (!adopted && !is_sandbox && network_.project_of(session).empty())
        report("P4", meeting, "publishes a session that the vendor did not make: " + session);
    if (!adopted && before != sessions_.end() && !free_.contains(meeting))
        report("P4", meeting, "its session became another one for no reason");
    const auto has_it = [&](std::string const& other) { // and was not purged since
        const std::optional<MeetingSnapshot> read = store_->read_one(other);
        return read && read->published && read->published->session_id == session;
    };
    for (auto const& [other, theirs] : sessions_)
        if (!adopted && other != meeting && theirs == session && has_it(other))
            report("P4", meeting, "has the session of " + other);
    if (!adopted && withdrawn_.contains({meeting, session})) // another's may have been purged since
        report("P5", meeting, "is given the session again that was taken off when it was cancelled");
    SQLite::Statement open{
        // filed while this session was on its way, it asks for yet another one
        *connection_, "SELECT 1 FROM request_status WHERE action = 'replace_session' AND state IN ('filed', 'running') "
                      "AND (meeting_id = ? OR project IS NOT NULL)"};
    open.bind(1, meeting);
    if (before != sessions_.end() && !open.executeStep())
        free_.erase(meeting);
    sessions_[meeting] = session;
}

void Oracle::cancelled(std::string const& meeting)
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    const auto session = sessions_.find(meeting);
    SQLite::Statement row{*connection_, "SELECT 1 FROM meeting WHERE id = ? AND status = 'cancelled'"};
    row.bind(1, meeting);
    if (session == sessions_.end() || !row.executeStep())
        return;
    withdrawn_.emplace(meeting, session->second);
    sessions_.erase(session);
}

void Oracle::free_all()
{
    for (auto const& [meeting, session] : sessions_)
        free_.insert(meeting);
    sessions_.clear();
}

void Oracle::check_survival()
{
    const As as{vfs_, process_};
    SQLite::Statement integrity{*connection_, "PRAGMA integrity_check"};
    integrity.executeStep();
    if (const std::string answer = integrity.getColumn(0).getString(); answer != "ok")
        report("P7", "", "the database is damaged: " + answer);
    SQLite::Statement seq{*connection_, "SELECT seq FROM daemon"};
    if (!seq.executeStep() || seq.getColumn(0).getInt64() < last_seq_)
        report("P7", "", "what was published is lost");
}

void Oracle::check_all(bool all_must_be_done)
{
    if (blind_)
        return;
    const As as{vfs_, process_};
    std::vector<std::string> meetings;
    {
        SQLite::Statement statement{*connection_, "SELECT meeting_id FROM agenda ORDER BY meeting_no"};
        while (statement.executeStep())
            meetings.push_back(statement.getColumn(0).getString());
    }
    for (std::string const& meeting : meetings)
        check(meeting);
    if (!all_must_be_done)
        return;
    // A meeting that becomes due at this very instant is nobody's fault.
    SQLite::Statement waiting{
        *connection_, "SELECT s.meeting_id, s.state, s.reason, s.detail FROM meeting_status s JOIN agenda a ON "
                      "a.meeting_id = s.meeting_id WHERE (s.state = 'pending' AND a.due_at < ?1) OR (s.state = "
                      "'failed' AND s.reason NOT IN ('unknown_project', 'session_of_another_project'))"};
    waiting.bind(1, unix_seconds(clock_.now()));
    while (waiting.executeStep())
        report(
            "P1", waiting.getColumn(0).getString(),
            "is still " + waiting.getColumn(1).getString() + " after a long calm: " + waiting.getColumn(2).getString() +
                ", " + waiting.getColumn(3).getString()
        );
}

std::optional<std::string> Oracle::published()
{
    if (blind_)
        return std::nullopt;
    const As as{vfs_, process_};
    std::string all;
    const bool seen = sees([&] {
        SQLite::Statement statement{
            *connection_, "SELECT meeting_id || ' ' || participant_id || ' ' || token || ' ' || expires_at "
                          "FROM join_credential ORDER BY meeting_id, participant_id"};
        while (statement.executeStep())
            all += statement.getColumn(0).getString() + "\n";
    });
    return seen ? std::optional{std::move(all)} : std::nullopt;
}

} // namespace usher::simulation
