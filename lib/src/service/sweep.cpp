// SPDX-License-Identifier: Apache-2.0
#include <usher/service/sweep.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include <usher/service/batch.hpp>
#include <usher/store/errors.hpp>

namespace usher {

namespace {

constexpr std::size_t chunk_rows = 500;
constexpr std::size_t outdated_together = 500;   // rows in one transaction
constexpr std::size_t participants_max = 1000;   // what an edit may have to wait for while a sweep goes on
constexpr std::size_t renumbered_together = 200; // meetings in one transaction

/// Whether the meeting was planned under another configuration, or in what has become the future.
bool is_stale(AgendaEntry const& entry, Projects const& projects, sys_seconds now)
{
    if (entry.settled_at > now)
        return true;
    if ((entry.state == State::cancelled || entry.state == State::waiting) && entry.policy_hash == 0)
        return false; // one that is deleted, or not there yet, has no project
    return std::none_of(projects.by_name.begin(), projects.by_name.end(), [&](auto const& project) {
        return project.second.policy_hash == entry.policy_hash;
    });
}

/// Whether there is something to do, now or before the meeting would be due again.
bool is_overlooked(MeetingSnapshot const& meeting, Plan const& planned)
{
    return meeting.is_unreadable || meeting.has_foreign_session || meeting.has_unreadable_rows ||
           !is_as_planned(meeting, planned) || (planned.due && unix_seconds(*planned.due) < meeting.due_at);
}

Suspect suspect_of(AgendaEntry const& entry)
{
    return {entry.starts_at, entry.session, entry.number};
}

struct Comparison {
    std::vector<Suspect> found;
    std::optional<MeetingNo> last; ///< Nothing at the end.
};

/// Compares the rows of the next meetings with what would be planned for them.
Comparison
compare_chunk(StoreReader const& reader, MeetingNo after, std::int64_t since, Projects const& projects, sys_seconds now)
{
    const std::vector<AgendaEntry> entries = reader.scan(after, chunk_rows);
    if (entries.empty())
        return {};
    Comparison result;
    std::vector<MeetingNo> settled;
    std::map<MeetingNo, AgendaEntry> by_number;
    for (AgendaEntry const& entry : entries) {
        if (entry.due_at <= unix_seconds(now) || entry.seq > since)
            continue;                         // known
        if (is_stale(entry, projects, now)) { // rows that came back with a backup
            result.found.push_back(suspect_of(entry));
            continue;
        }
        settled.push_back(entry.number);
        by_number.emplace(entry.number, entry);
    }
    const std::vector<MeetingSnapshot> meetings = reader.read(settled, participants_max);
    for (MeetingSnapshot const& meeting : meetings)
        if (is_overlooked(meeting, plan(meeting, projects, now)))
            result.found.push_back(suspect_of(by_number.at(meeting.number)));
    const bool all = meetings.empty() || meetings.back().number == settled.back();
    result.last = all ? entries.back().number : meetings.back().number;
    return result;
}

} // namespace

std::vector<Suspect> stale_meetings(StoreReader const& reader, Projects const& projects, sys_seconds now)
{
    std::vector<Suspect> found;
    for (MeetingNo after{0};;) {
        const std::vector<AgendaEntry> entries = reader.scan(after, chunk_rows);
        if (entries.empty())
            return found;
        after = entries.back().number;
        for (AgendaEntry const& entry : entries)
            if (entry.due_at > unix_seconds(now) && is_stale(entry, projects, now))
                found.push_back(suspect_of(entry));
    }
}

Sweep::Sweep(Store& store, Readers& readers, Clock& clock, boost::asio::any_io_executor executor, Workers workers)
    : store_{store}, readers_{readers}, clock_{clock}, executor_{std::move(executor)}, workers_{std::move(workers)}
{}

void Sweep::start()
{
    ids_ = std::string{};
    after_ = MeetingNo{0};
    since_ = store_.last_seq();
    outdated_ = {};
    reader_.reset();
}

boost::asio::awaitable<Sweep::Chunk> Sweep::next(Projects projects, sys_seconds outdated_before)
{
    if (!reader_)
        reader_ = readers_.take();
    try {
        co_return co_await look(std::move(projects), outdated_before);
    } catch (DatabaseDamaged const&) {
        reader_.reset();
        throw;
    }
}

boost::asio::awaitable<Sweep::Chunk> Sweep::look(Projects projects, sys_seconds outdated_before)
{
    Chunk chunk;
    if (co_await store_.renumber(renumbered_together))
        co_return chunk;
    if (ids_) { // rows of `agenda` come first: meetings are found by them
        co_await add_missing(*ids_);
        co_return chunk;
    }
    if (after_) {
        chunk.suspects = co_await compare(std::move(projects), *after_);
        co_return chunk;
    }
    co_await remove_outdated(outdated_before);
    chunk.more = outdated_.table != Outdated::OldTable::none;
    if (!chunk.more)
        readers_.put_back(std::move(reader_));
    co_return chunk;
}

boost::asio::awaitable<void> Sweep::add_missing(std::string after)
{
    const auto missing = std::make_shared<MissingRows>();
    std::function<void()> find = [missing, reader = reader_, after = std::move(after)] {
        *missing = reader->find_missing(after, chunk_rows);
    };
    co_await on_workers(workers_, clock_, executor_, std::move(find));
    co_await store_.add_missing(std::move(missing->meeting_ids));
    ids_ = std::move(missing->next);
}

boost::asio::awaitable<std::vector<Suspect>> Sweep::compare(Projects projects, MeetingNo after)
{
    const auto comparison = std::make_shared<Comparison>();
    std::function<void()> work = [comparison, reader = reader_, after, since = since_, now = clock_.now(),
                                  projects = std::move(projects)] {
        *comparison = compare_chunk(*reader, after, since, projects, now);
    };
    co_await on_workers(workers_, clock_, executor_, std::move(work));
    after_ = comparison->last;
    co_return std::move(comparison->found);
}

boost::asio::awaitable<void> Sweep::remove_outdated(sys_seconds before)
{
    const auto outdated = std::make_shared<Outdated>();
    std::function<void()> find = [outdated, before, reader = reader_, from = outdated_] {
        *outdated = reader->find_outdated(from, before, outdated_together);
    };
    co_await on_workers(workers_, clock_, executor_, std::move(find));
    const Outdated::Cursor next = outdated->next;
    co_await store_.remove(std::move(*outdated));
    outdated_ = next;
}

} // namespace usher
