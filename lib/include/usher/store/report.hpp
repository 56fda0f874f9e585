// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <usher/core/openings.hpp>
#include <usher/core/policy.hpp>
#include <usher/core/readiness.hpp>
#include <usher/core/request.hpp>
#include <usher/core/time.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/errors.hpp>
#include <usher/store/health.hpp>

namespace usher {

/// The first few of a listing, and how many there are in all.
template <class Item>
struct Listing {
    std::vector<Item> items;
    std::size_t total = 0;

    /// Keeps the item if there are fewer than `items_max`, and counts it.
    void add(Item item, std::size_t items_max)
    {
        ++total;
        if (items.size() < items_max)
            items.push_back(std::move(item));
    }
};

/// How a report looks at the rows.
struct Viewpoint {
    sys_seconds now;
    Policy policy;                             ///< For meetings that usher has not looked at since they were written.
    bool at_work = true;                       ///< Somebody looks after the database.
    std::optional<sys_seconds> opened_after{}; ///< Given: StatusReport::openings from there on.
};

/// A meeting, and what its word is made from.
struct MeetingStanding {
    MeetingNo number{}; ///< 0: usher has no row for it.
    std::string id;
    std::string project;
    std::string reason; ///< Empty while usher has not looked at it since it was written or became due.
    std::string detail;
    MeetingFacts facts;
    Word word = Word::on_schedule;
    State shown = State::pending;         ///< As `meeting_status` has it.
    std::optional<sys_seconds> ready_at;  ///< Since when its state is `ready`.
    std::optional<sys_seconds> next_at;   ///< No network call before this.
    std::optional<sys_seconds> next_work; ///< When usher looks at it again; empty while it is due.
    bool has_session = false;
    bool has_people = false;
    bool rows_gone = false; ///< Somebody else took rows that usher had written for it.
    bool is_due = false;    ///< usher has to look at it, now.
};

/// A meeting as `list` has it.
struct ListedMeeting {
    MeetingStanding standing;
    std::int64_t people = 0;
};

struct MeetingRef {
    std::string id;
    std::optional<sys_seconds> opens;
};

/// Meetings that have failed or are at risk for the same reason in the same project.
struct MeetingGroup {
    Word word = Word::failed;
    std::string reason;
    std::string detail; ///< Of the first.
    std::string project;
    bool has_session = false; ///< Any of them.
    bool rows_gone = false;   ///< Likewise.
    std::size_t near = 0;     ///< How many are live or open within `verdict_span`.
    std::optional<sys_seconds> since;
    std::optional<sys_seconds> next_at;
    Listing<MeetingRef> meetings; ///< The first to open.
};

/// How many meetings have each word, by `Word`. None is counted that has ended or is cancelled.
using WordCounts = std::array<std::int64_t, word_count>;
inline std::int64_t count(WordCounts const& counts, Word word)
{
    return counts.at(static_cast<std::size_t>(word));
}
inline std::int64_t total(WordCounts const& counts)
{
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

inline constexpr std::size_t quarters_in_day = 96;

struct ProblemReport {
    std::string meeting_id;
    std::string participant_id;
    std::string reason;
    std::string detail;
    sys_seconds since;
};

struct DaemonReport {
    std::string database_id; ///< As text; empty when it cannot be read.
    std::string who;         ///< Empty when no daemon ever ran.
    sys_seconds since;
    sys_seconds looked_at;
};

/// A configured project as the daemon last saw it, and how far its published tokens have come after a new secret.
struct ProjectReport {
    std::string name;
    std::string provider;
    std::string project_key;
    std::string reason; ///< Why the provider is not asked at present; empty when it is.
    std::string detail;
    std::optional<sys_seconds> next_probe;
    std::optional<seconds> clock_ahead; ///< Of this machine, against the provider's.
    std::string key_id;                 ///< Of the key that new tokens are signed with.
    std::int64_t tokens = 0;            ///< Published ones.
    std::string old_key_id;             ///< One of those that are not `key_id`.
    std::int64_t tokens_of_old_key = 0;
    std::int64_t live_tokens_of_old_key = 0;                       ///< Of these, in meetings that are live.
    std::map<std::string, std::int64_t, std::less<>> older_keys{}; ///< Of these, by key: the newest few.
    std::optional<sys_seconds> first_of_new_key; ///< When the first token with the new key was issued.
};

/// Until when everybody can enter though no daemon runs.
struct SafeReport {
    std::optional<sys_seconds> until; ///< Empty: for all there is.
    Listing<std::string> then_not;    ///< Meetings that somebody cannot enter at that instant.
};

/// Meetings of one project, by the state that `meeting_status` has, and why where they wait or have failed.
struct StockKey {
    std::string project; ///< Empty: of none that is configured.
    State state = State::pending;
    std::string reason;

    friend auto operator<=>(StockKey const&, StockKey const&) = default;
};

/// Everything that `status` tells, as of one instant.
struct StatusReport {
    bool any_meeting = false;
    WordCounts live{};
    WordCounts within_hour{}; ///< Opens later than now; likewise below, each without those before.
    WordCounts within_day{};
    WordCounts later{};
    std::array<WordCounts, quarters_in_day> quarters{}; ///< Of those that open within a day, by quarters of an hour.
    std::int64_t due = 0;                               ///< Meetings.
    Listing<MeetingGroup> groups;                       ///< The worst first.
    std::size_t failed_near = 0;                        ///< Meetings, for the verdict.
    std::size_t at_risk = 0;
    Listing<ProblemReport> not_served; ///< People of meetings that are neither over nor cancelled.
    Listing<std::string> without_row;  ///< Meetings that have people and no row of their own.
    Listing<std::string> long_ones;    ///< Meetings of over 8 hours that are live or open within a day.
    SafeReport safe;
    std::optional<sys_seconds> next_work;
    std::vector<ProjectReport> projects; ///< By name; none before a daemon ran.
    std::int64_t agenda_rows = 0;
    std::map<StockKey, std::int64_t> stock;                 ///< Of all these.
    std::map<std::string, std::int64_t> problems;           ///< Those of not_served, by reason.
    std::array<std::int64_t, quarters_in_day> token_ends{}; ///< Published tokens that end within a day, before their
                                                            ///< meeting does.
    std::map<RequestAction, std::int64_t> requests_open{};
    std::int64_t restores = 0;     ///< Times that older rows came back.
    std::vector<Opening> openings; ///< See Openings::look(); only where the view wants them.
    std::int64_t abandoned_attempts = 0;
    std::int64_t sessions_to_empty =
        0; ///< Of cancelled, deleted or closed meetings: whoever is there is to be thrown out.
};

struct HistoryReport {
    sys_seconds at;
    std::string event;
    std::string detail;
};

/// Something that was done for a meeting.
struct EventReport {
    std::string meeting_id;     ///< Empty when that is not known any more.
    std::string participant_id; ///< Of whose token it tells; else empty.
    HistoryReport event;
};

/// A row of `credential_history`: a token that was published, and never its text.
struct TokenReport {
    std::string meeting_id;
    std::string participant_id;
    std::string role;
    std::string reason;
    sys_seconds issued_at; ///< As the token has it, which is dated back.
    sys_seconds expires_at;
    std::optional<sys_seconds> withdrawn_at;
    std::string withdrawn_reason;
    sys_seconds published_at{}; ///< When it took the place of the one before, or was the first that somebody could use.
};

/// A row of `participant_status`.
struct PersonReport {
    std::string participant_id;
    std::string role;
    std::string state;
    std::string reason;
    std::string detail;
    std::optional<sys_seconds> opens;   ///< Their own door.
    std::optional<sys_seconds> expires; ///< Of their token, when they have one.
};

struct RoleDoor {
    std::string role;
    sys_seconds opens;
    bool hidden = false; ///< Credentials are not shown before.
};

/// Everything that `explain` tells of a meeting, as of one instant.
struct MeetingReport {
    MeetingStanding standing;
    std::string title;
    std::string row_status; ///< `scheduled`, `cancelled`, or empty when the meeting has no row.
    std::optional<sys_seconds> starts_at;
    std::optional<sys_seconds> ends_at;
    std::int64_t attempts = 0;            ///< Failed network calls in a row.
    std::optional<sys_seconds> next_work; ///< When usher looks again; empty while it is due.
    std::string session_id;               ///< The published one, or empty.
    bool session_adopted = false;
    std::optional<sys_seconds> session_since;
    std::vector<RoleDoor> doors;     ///< Of the roles in this meeting.
    Listing<PersonReport> people;    ///< Those that cannot be served first.
    std::size_t people_unserved = 0; ///< Of these.
    std::size_t people_blocked = 0;
    std::size_t people_with_token = 0;       ///< One that works.
    std::size_t people_let_in = 0;           ///< And whose door is open.
    std::optional<sys_seconds> first_expiry; ///< Of their tokens.
    std::optional<sys_seconds> last_door;    ///< Of those with a token whose door is not open yet.
    std::int64_t tokens_out = 0;             ///< Withdrawn, and not expired.
    std::optional<sys_seconds> tokens_out_until;
    Listing<HistoryReport> history; ///< Newest first.
};

/// A row of `join_credential`.
struct CredentialReport {
    std::string meeting_id;
    std::string participant_id;
    std::string project;
    std::string project_key;
    std::string session_id;
    std::string token;
    std::string role;
    sys_seconds issued_at;
    sys_seconds expires_at;
    std::optional<sys_seconds> opens;
    std::optional<sys_seconds> closes;
};

/// What operators ask of a database. Each question is answered from one snapshot, which ends with it.
class Report {
public:
    /// Opens for reading only. The views' clock is `now`. Errors: DatabaseError.
    Report(std::string const& path, sys_seconds now);
    Report(Report&&) noexcept;
    Report& operator=(Report&&) noexcept;
    ~Report();

    /// What the database lacks of the contract, by its schema as it is.
    std::vector<Damage> damages() const;

    /// How the database itself is, as far as one who only reads can tell.
    std::vector<HealthRow> health() const;

    DaemonReport daemon() const;

    /// The projects as the daemon last saw them, without a count of their tokens.
    std::vector<ProjectReport> projects() const;
    StatusReport status(Viewpoint const& view) const;

    /// Every meeting that is not over, in no order.
    void each_meeting(Viewpoint const& view, std::function<void(MeetingStanding const&)> const& visit) const;

    /// Those that are neither over nor cancelled and that `wanted` takes, by their opening.
    Listing<ListedMeeting> list(Viewpoint const& view, std::function<bool(MeetingStanding const&)> const& wanted) const;

    /// What was done, newest first: for one meeting when one is named, and then with what became of single people's
    /// tokens by the platform's doing.
    Listing<EventReport> history(std::optional<std::string> const& meeting_id) const;

    /// The tokens that a person got, newest first; in one meeting when one is named. `clock_skew` is what tokens are
    /// dated back by.
    Listing<TokenReport> tokens_of(
        std::optional<std::string> const& meeting_id, std::string const& participant_id, seconds clock_skew
    ) const;

    std::optional<MeetingReport> meeting(std::string_view id, Viewpoint const& view) const;

    std::optional<PersonReport> person(std::string_view meeting_id, std::string_view participant_id) const;

    /// What a platform would read now; of one participant when one is named.
    Listing<CredentialReport>
    credentials(std::string_view meeting_id, std::optional<std::string> const& participant) const;

    /// The meeting, or the participant of `meeting_id`, that was probably meant by `id`.
    std::optional<std::string> nearest_meeting(std::string_view id) const;
    std::optional<std::string> nearest_participant(std::string_view meeting_id, std::string_view id) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
