// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <usher/core/time.hpp>
#include <usher/store/errors.hpp>
#include <usher/store/report.hpp>

namespace usher {

/// What stands in the history in the place of people who are erased.
inline constexpr std::string_view forgotten_person = "(forgotten)";

/// How many rows name one person, over all meetings.
struct PersonRows {
    std::int64_t past_tokens = 0; ///< Of the history: tokens that were replaced or withdrawn,
    std::int64_t left_tokens = 0; ///< and tokens of meetings that the person is no participant of any more.
    std::int64_t problems = 0;    ///< Why the person was not served; likewise.
    std::int64_t removals = 0;    ///< Removals that usherd has not settled.

    std::int64_t participants = 0; ///< The platform's rows.
    std::int64_t blocks = 0;
    std::int64_t kept_tokens = 0;  ///< Of meetings that the person is a participant of.
    Listing<std::string> meetings; ///< Where the platform's rows are.

    std::int64_t of_usher() const { return past_tokens + left_tokens + problems + removals; }
    std::int64_t of_the_platform() const { return participants + blocks; }
};

/// Takes a person out of usher's own rows, a few milliseconds of the write lock at a time. A token that somebody had
/// stays in the history as that of `forgotten_person`, with its times and role, so that what is counted stays right.
/// Rows that platforms write, and what follows from them, are left alone. Errors: DatabaseError, DatabaseBusy.
class PersonEraser {
public:
    explicit PersonEraser(std::string const& database);
    PersonEraser(PersonEraser const&) = delete;
    PersonEraser& operator=(PersonEraser const&) = delete;
    ~PersonEraser();

    PersonRows look(std::string const& person) const;

    /// Returns how many rows do not name the person any more; `progress` is told of them as they come. All of it
    /// survives a crash of the machine when this returns; calling this again is harmless.
    std::int64_t erase(std::string const& person, sys_seconds now, std::function<void(std::size_t)> const& progress);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
