// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <usher/core/time.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/database.hpp>

namespace usher {

/// The first few of a listing, and how many there are in all.
template <class Item>
struct Listing {
    std::vector<Item> items;
    std::size_t total = 0;
};

/// A meeting as `meeting_status` has it, with what its own row adds while there is one.
struct MeetingReport {
    std::string id;
    std::string title;
    std::string project;
    std::string row_status; ///< `scheduled`, `cancelled`, or empty when the meeting has no row.
    std::optional<sys_seconds> starts_at;
    std::optional<sys_seconds> ends_at;
    std::string state;
    std::string reason;
    std::string detail;
    std::optional<sys_seconds> opens;
    std::optional<sys_seconds> closes;
    std::optional<sys_seconds> ready_at;
    std::optional<sys_seconds> next_at; ///< No network call before this.
    std::int64_t attempts = 0;
};

struct ProblemReport {
    std::string meeting_id;
    std::string participant_id;
    std::string reason;
    std::string detail;
    sys_seconds since;
};

struct HistoryReport {
    sys_seconds at;
    std::string event;
    std::string detail;
};

struct StateCount {
    std::string state;
    std::int64_t meetings;
};

struct Readiness {
    std::int64_t meetings = 0; ///< That can be joined within the time asked for, or now.
    std::int64_t ready = 0;    ///< Of these.
};

struct DaemonReport {
    std::string who; ///< Empty when no daemon ever ran.
    sys_seconds since;
    sys_seconds heartbeat;
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
    std::int64_t tokens = 0;            ///< Published ones.
    std::int64_t tokens_with_old_key = 0;
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

/// What operators ask of a database. Every answer of one report is as of the instant of its first question.
class Report {
public:
    /// Opens for reading only. Errors: DatabaseError.
    explicit Report(std::string const& path);
    Report(Report&&) noexcept;
    Report& operator=(Report&&) noexcept;
    ~Report();

    /// What the database lacks of the contract, by its schema as it is.
    std::vector<Damage> damages() const;

    std::vector<StateCount> states() const;

    /// Scheduled meetings that are not over and begin before `until`, without those that are ready.
    Listing<MeetingReport> not_ready(sys_seconds now, sys_seconds until, std::size_t limit) const;
    Listing<MeetingReport> failing(std::size_t limit) const;
    /// Meetings that have participants and no row of their own.
    Listing<MeetingReport> without_row(std::size_t limit) const;
    Listing<ProblemReport> problems(std::size_t limit) const;

    /// Scheduled meetings that can be joined at some instant from `now` to `until`. `early_join` and `grace` give the
    /// window of those that have not been planned yet.
    Readiness readiness(sys_seconds now, sys_seconds until, seconds early_join, seconds grace) const;

    /// The earliest end of a published token that does not outlive its meeting; nothing when all do.
    std::optional<sys_seconds> valid_until(sys_seconds now) const;

    std::int64_t abandoned_attempts() const;
    DaemonReport daemon() const;
    std::vector<ProjectReport> projects() const; ///< By name; none before a daemon ran.

    std::optional<MeetingReport> meeting(std::string_view id) const;
    std::vector<ProblemReport> problems_of(std::string_view meeting_id) const;
    Listing<HistoryReport> history_of(std::string_view meeting_id, std::size_t limit) const; ///< Newest first.

    /// What a platform would read now; of one participant when one is named.
    std::vector<CredentialReport>
    credentials(std::string_view meeting_id, std::optional<std::string> const& participant) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
