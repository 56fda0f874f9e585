// SPDX-License-Identifier: Apache-2.0
#include <usher/store/snapshots.hpp>

#include <vector>

#include "columns.hpp"
#include "store_file_impl.hpp"

namespace usher {

namespace {

constexpr std::int64_t rows_together = 500; // of the agenda, in one transaction

struct Chunk {
    std::vector<std::int64_t> numbers; ///< Of meetings that are to be read.
    std::optional<std::int64_t> after; ///< Where to go on; nothing at the end.
};

Chunk next_chunk(StoreFile::Impl& impl, std::int64_t after, std::function<bool(SnapshotHint const&)> const& wanted)
{
    SQLite::Statement& statement =
        impl.prepared("SELECT meeting_no, due_at, opens, closes, policy_hash FROM agenda WHERE meeting_no > ? "
                      "ORDER BY meeting_no LIMIT ?");
    const Rewind rewind{statement};
    statement.bind(1, after);
    statement.bind(2, rows_together);
    Chunk chunk;
    while (statement.executeStep()) {
        chunk.after = statement.getColumn(0).getInt64();
        SnapshotHint hint;
        hint.due = bounded_instant(statement.getColumn(1).getInt64());
        hint.opens = instant_of(statement.getColumn(2));
        hint.closes = instant_of(statement.getColumn(3));
        hint.policy_hash = static_cast<std::uint64_t>(statement.getColumn(4).getInt64());
        if (wanted(hint))
            chunk.numbers.push_back(*chunk.after);
    }
    return chunk;
}

} // namespace

void each_snapshot(
    std::string const& database, std::function<bool(SnapshotHint const&)> const& wanted,
    std::function<void(MeetingSnapshot const&)> const& visit
)
{
    StoreFile::Impl impl{database, Access::read_only};
    impl.guarded([&] {
        for (Chunk chunk{{}, 0}; chunk.after;) {
            chunk = impl.passing_over([&] { return next_chunk(impl, *chunk.after, wanted); });
            for (const std::int64_t number : chunk.numbers) {
                std::optional<MeetingSnapshot> meeting;
                {
                    const SQLite::Transaction transaction{*impl.database};
                    meeting = impl.read_meeting(number);
                }
                if (meeting)
                    visit(*meeting);
            }
        }
    });
}

} // namespace usher
