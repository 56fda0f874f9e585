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

struct SnapshotWalk::Impl {
    explicit Impl(std::string const& database) : file{database, Access::read_only} {}

    StoreFile::Impl file;
    Chunk chunk{{}, 0};
    std::size_t next = 0; // of the chunk
};

SnapshotWalk::SnapshotWalk(std::string const& database) : impl_{std::make_unique<Impl>(database)} {}

SnapshotWalk::~SnapshotWalk() = default;

bool SnapshotWalk::go_on(
    std::function<bool(SnapshotHint const&)> const& wanted, std::function<void(MeetingSnapshot const&)> const& visit,
    std::chrono::steady_clock::duration at_most
)
{
    const auto until = std::chrono::steady_clock::now() + at_most;
    StoreFile::Impl& file = impl_->file;
    Chunk& chunk = impl_->chunk;
    return file.guarded([&] {
        while (chunk.after || impl_->next < chunk.numbers.size()) {
            if (impl_->next == chunk.numbers.size()) {
                chunk = file.passing_over([&] { return next_chunk(file, *chunk.after, wanted); });
                impl_->next = 0;
            }
            while (impl_->next < chunk.numbers.size()) {
                std::optional<MeetingSnapshot> meeting;
                {
                    const SQLite::Transaction transaction{*file.database};
                    meeting = file.read_meeting(chunk.numbers[impl_->next++]);
                }
                if (meeting)
                    visit(*meeting);
                if (std::chrono::steady_clock::now() >= until)
                    return chunk.after || impl_->next < chunk.numbers.size();
            }
            if (std::chrono::steady_clock::now() >= until)
                return chunk.after.has_value();
        }
        return false;
    });
}

void each_snapshot(
    std::string const& database, std::function<bool(SnapshotHint const&)> const& wanted,
    std::function<void(MeetingSnapshot const&)> const& visit
)
{
    SnapshotWalk walk{database};
    while (walk.go_on(wanted, visit, std::chrono::hours{1})) {
    }
}

} // namespace usher
