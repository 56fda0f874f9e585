// SPDX-License-Identifier: Apache-2.0
// The port to whatever keeps the rows: what the daemon reads and writes, in words that every database can answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <usher/core/certain_time.hpp>
#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>
#include <usher/core/policy.hpp>
#include <usher/core/settlement.hpp>
#include <usher/store/contract.hpp>
#include <usher/store/errors.hpp>
#include <usher/store/health.hpp>
#include <usher/store/records.hpp>
#include <usher/store/store_reader.hpp>

namespace usher {

/// All that usher keeps in one database. Batch-shaped: due meetings out, publications in. One thread at a time; what
/// reads much has a StoreReader of its own. What is read here is few rows, by their keys, so the caller waits for them;
/// writes are awaited, for a store lets others have their turn. Nothing that awaits holds anything that others wait
/// for. Errors: DatabaseBusy, after which nothing is lost and the same may be tried again; Fenced; DatabaseError for
/// all else.
class Store {
public:
    using Duration = std::chrono::steady_clock::duration;

    Store() = default;
    Store(Store const&) = delete;
    Store& operator=(Store const&) = delete;
    virtual ~Store() = default;

    // At the start, in this order.

    /// Opens an existing database, migrating its schema. Returns where it put what another database of this name had
    /// left beside it; mostly nothing.
    virtual std::string open() = 0;
    /// From now on an older daemon's writes are refused.
    virtual Tenure take_over() = 0;

    // What others do to it.

    /// Changes of others are noticed at once from now on. Or not: then why, and how often they are looked for instead.
    struct SlowNotices {
        std::string reason;
        std::chrono::milliseconds every{};
    };
    virtual std::optional<SlowNotices> notice_changes() = 0;
    /// Calls `changed` whenever others may have committed since caught_up(). Looks for it every so often even where
    /// nothing is noticed. Ends after request_stop(), at the next look.
    virtual boost::asio::awaitable<void> follow_changes(Duration every, std::function<void()> changed) = 0;
    /// What is committed by now is known to the caller.
    virtual void caught_up() = 0;

    /// Errors: DatabaseLost, from now on at each call.
    virtual void check() = 0;
    /// The part of it that tells why something else may have failed.
    virtual void check_after_failure() = 0;

    /// Changes when anybody alters the schema.
    virtual std::int64_t schema_version() const = 0;
    /// Compares the schema with the contract; puts back what may be put back beside those who work with it, each at
    /// most once a minute; keeps the rest for `usher_status`.
    virtual boost::asio::awaitable<Inspection> inspect() = 0;

    /// Whether there are older rows than this daemon has written or found. Its next write tells followers.
    virtual bool holds_older_rows() const = 0;
    /// Whether older rows came back while this daemon ran; asking takes it back.
    virtual bool take_restored() = 0;
    /// After a restore: gives the next meetings a new seq, for those who follow it. Whether there is more to do.
    virtual boost::asio::awaitable<bool> renumber(std::size_t limit) = 0;

    // Meetings that are due.

    virtual std::unique_ptr<StoreReader> reader() const = 0;

    /// Up to `limit` due meetings that are not `in_hand`: those that are live or about to open first, by their start;
    /// then, in equal shares, what time has made due and what else the platform wrote, day by day (near_before,
    /// near_after). Nothing is written.
    virtual DueMeetings due(sys_seconds now, std::size_t limit, std::set<MeetingNo> const& in_hand) const = 0;
    /// The earliest instant at which a meeting is due; `now` or earlier when one is due already.
    virtual std::optional<sys_seconds> next_due() const = 0;

    /// Stores tokens and settles each meeting that is as it was read, in the order given. Of one that the platform
    /// edited meanwhile, it stores what is still right and leaves it due. Ends early after request_stop(). What
    /// publications refer to must live until it returns.
    virtual boost::asio::awaitable<Published> publish(std::vector<Publication> publications) = 0;
    /// Of about so many tokens, as many as are best published together.
    virtual std::size_t fill(std::size_t tokens) const = 0;

    /// Takes a few steps for requests, if there are some to take: begins those that were filed, or marks the next
    /// meetings.
    virtual boost::asio::awaitable<RequestStep> advance_requests() = 0;

    // Calls to providers.

    /// The meetings as they are, without their participants: enough to tell whether a session is still wanted.
    virtual std::vector<MeetingSnapshot> read_orders(std::span<MeetingNo const> meetings) const = 0;
    /// Whether there is a session of this id, whatever meeting it is or was of.
    virtual bool has_session(std::string const& session_id) const = 0;
    /// Up to `limit` sessions of a project that are marked to be emptied, oldest first; without a name, of those
    /// projects that are not in `project_status`.
    virtual std::vector<Disconnect>
    read_disconnects(std::optional<std::string> const& project, std::size_t limit) const = 0;
    /// Records all of it or nothing; nothing is written when `news` is empty. A new session is staged, unless the
    /// platform changed its inputs meanwhile, or a session of that id exists: then it is abandoned. A failure leaves
    /// its reason and when to try again. Goes before what publish() has still to do.
    virtual boost::asio::awaitable<CallRecord> record_calls(CallNews news) = 0;

    // What a sweep found by a reader.

    /// The highest `seq` that was given.
    virtual std::int64_t last_seq() const = 0;
    /// Adds or mends the agenda rows of these meetings, and makes them due.
    virtual boost::asio::awaitable<void> add_missing(std::vector<std::string> meeting_ids) = 0;
    /// Deletes rows of `agenda` that cannot be read; find_missing() finds their meetings then.
    virtual boost::asio::awaitable<void> forget_unreadable(std::vector<MeetingNo> meetings) = 0;
    virtual boost::asio::awaitable<void> remove(Outdated outdated) = 0;

    // While there is nothing else to do, and at the end.

    /// Has the views show each credential from its holder's door on, as configured. Writes only what differs.
    virtual boost::asio::awaitable<void> record_doors(Policy policy) = 0;
    /// Records that a daemon has looked, where nothing was to be published, and an instant that has certainly come.
    virtual boost::asio::awaitable<void> beat(sys_seconds certain) = 0;
    /// Does what the store wants done for itself now and then. Errors: DatabaseLost too.
    virtual boost::asio::awaitable<void> keep_house() = 0;
    /// How soon it wants to do so again.
    virtual std::optional<Duration> keep_house_in() const = 0;

    /// Ends publish() after the transaction in hand, and follow_changes().
    virtual void request_stop() = 0;
    /// Returns when nothing is under way in the background.
    virtual boost::asio::awaitable<void> come_to_rest() = 0;
    /// Leaves the database as one whose files may be copied or replaced. Who is in the way of that is waited for a
    /// while, `pause` at a time. Whether it is so.
    virtual bool finish(std::function<void(Duration)> const& pause) = 0;

    /// Calls `wrote` whenever this store is done with writing for a moment: how long it waited for those who were
    /// writing, and how long it kept others from it. Of one that waited in vain too, with nothing for the latter.
    virtual void watch_writes(std::function<void(Duration waited, std::optional<Duration> held)> wrote) = 0;
    /// How the store is, since it was opened: what operators need of it and the words of this port do not have.
    virtual std::vector<HealthRow> health() const = 0;
    /// What others do that will slow it down, and what to do, for operators; empty mostly. Costs nothing to ask.
    virtual std::string concern() const = 0;
};

} // namespace usher
