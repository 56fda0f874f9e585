// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <usher/core/time.hpp>
#include <usher/store/errors.hpp>

namespace usher {

/// A value of a column that platforms write; std::monostate is NULL.
using PlatformValue = std::variant<std::monostate, std::int64_t, double, std::string>;

/// A table that platforms write, and columns of it, those of its key first.
struct PlatformTable {
    std::string name;
    std::vector<std::string> columns;
    std::size_t key_columns = 1;
};

/// Loads what a platform would write, in turns of a few milliseconds, with longer pauses for others. Triggers that
/// others have on the platform's tables are not run: they would be run with the rights of whoever loads, who is often
/// root. Errors: DatabaseError, DatabaseBusy.
class PlatformWriter {
    struct Impl;

public:
    /// How long others may keep the database busy.
    static constexpr std::chrono::seconds patience{10};

    explicit PlatformWriter(std::string const& database);
    PlatformWriter(PlatformWriter const&) = delete;
    PlatformWriter& operator=(PlatformWriter const&) = delete;
    ~PlatformWriter();

    std::int64_t count_rows(std::string const& table) const;

    /// A turn to write in; what is not committed is undone.
    class Turn {
    public:
        explicit Turn(PlatformWriter& writer);
        Turn(Turn const&) = delete;
        Turn& operator=(Turn const&) = delete;
        ~Turn();

        bool is_over() const; ///< So others wait.
        void commit();

    private:
        Impl& writer_;
    };
    /// After a turn that another one follows: waits until others have had theirs.
    void let_others();
    /// Sees that what is committed survives a crash of the machine. Before this a crash can only take the last of the
    /// turns back, as if the load had ended there.
    void make_durable();

    /// Whether there is a meeting of this id; `noted_too`: or one was noted by Rows::note() for the table `meeting`.
    bool has_meeting(std::string const& id, bool noted_too);
    /// Of the meetings that are there, one whose id was probably meant.
    std::optional<std::string> nearest_meeting(std::string const& id);
    /// What a meeting has by usher, as far as it matters to who edits it.
    struct MeetingWork {
        bool live = false;
        std::int64_t tokens = 0; ///< That are published.
    };
    std::optional<MeetingWork> work_of(std::string const& id, sys_seconds now);

    /// The rows of one table.
    class Rows {
    public:
        /// `written`: which columns of rows that are there already are written again.
        Rows(PlatformWriter& writer, PlatformTable table, std::vector<bool> written);
        Rows(Rows const&) = delete;
        Rows& operator=(Rows const&) = delete;
        ~Rows();

        /// Notes that the file has this row at `line`, once for each key. Returns the line of the first one, if that
        /// is another one. Notes are read and made in memory and on disk, as they become many; they lock nothing.
        std::optional<std::int64_t> note(std::span<PlatformValue const> row, std::int64_t line);
        /// For what is noted before a turn: many of them are made at once.
        void begin_notes();
        void end_notes();

        /// The row of this key as it is.
        std::optional<std::vector<PlatformValue>> find(std::span<PlatformValue const> row);
        /// In a turn. Returns why the database refuses the row: the name of a CHECK, or a sentence.
        std::optional<std::string> insert(std::span<PlatformValue const> row);
        std::optional<std::string> update(std::span<PlatformValue const> row);

        /// How many rows there are that were not noted.
        std::size_t find_others();
        /// Deletes some of those that were found, in a turn of its own, and lets others have theirs. How many; nothing
        /// when none are left.
        std::optional<std::size_t> remove_others();

    private:
        struct Impl;
        std::unique_ptr<Impl> impl_;
    };

private:
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
