// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/database_files.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/store/database.hpp>

#include "file.hpp"

namespace usher {

namespace {

// The formats are SQLite's: https://www.sqlite.org/walformat.html
constexpr std::size_t log_header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;
constexpr std::uint32_t frames_max = 1U << 18U; // 2 GB of pages; what is longer is not looked through
constexpr std::size_t compared_pages_max = 64;
constexpr std::uint64_t sampled_pages = 32;
constexpr std::uint32_t sampled_bytes = 4096; // as a page where no -wal says how large one is
constexpr int open_byte = 128;                // of -shm, which everybody has locked who has the database open
constexpr int looks_max = 8;                  // while somebody is at work on the files

bool read_exactly(int file, void* to, std::size_t bytes, std::uint64_t at)
{
    return ::pread(file, to, bytes, static_cast<off_t>(at)) == static_cast<ssize_t>(bytes);
}

std::uint32_t big_endian(unsigned char const* bytes)
{
    return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U | std::uint32_t{bytes[2]} << 8U | bytes[3];
}

/// When the machine was started, by its clock.
std::int64_t boot_time()
{
    timespec wall{};
    timespec up{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    return wall.tv_sec - up.tv_sec;
}

using Salts = std::array<unsigned char, 8>;

std::string text_of(Salts const& salts)
{
    std::string result;
    for (const unsigned char byte : salts)
        result.append(result.empty() ? "" : ".").append(std::to_string(byte));
    return result;
}

/// The value behind `name` in a note.
std::string_view field(std::string_view note, std::string_view name)
{
    const auto at = note.find(name);
    if (at == std::string_view::npos)
        return {};
    const std::string_view rest = note.substr(at + name.size());
    return rest.substr(0, rest.find(' '));
}

bool same_file(int descriptor, std::string const& path)
{
    struct stat ours {};
    struct stat named {};
    return ::fstat(descriptor, &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

} // namespace

/// What -shm says about -wal, where the two agree.
struct DatabaseFiles::Index {
    Salts salts{};
    std::uint32_t page_bytes = 0;
    std::uint32_t frames = 0;         ///< Committed.
    std::uint32_t database_pages = 0; ///< As of the last of them.
    std::uint32_t moved = 0;          ///< So many are in the database,
    std::uint32_t attempted = 0;      ///< and so many may be.

    std::uint64_t end_of(std::uint32_t frame) const
    {
        return log_header_bytes + std::uint64_t{frame} * (frame_header_bytes + page_bytes);
    }

    friend bool operator==(Index const&, Index const&) = default;
};

DatabaseFiles::DatabaseFiles(std::string const& named) : named_{named}, path_{real_path(named)}
{
    database_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    log_ = ::open((path_ + "-wal").c_str(), O_RDONLY | O_CLOEXEC);
    index_ = ::open((path_ + "-shm").c_str(), O_RDONLY | O_CLOEXEC);
}

DatabaseFiles::~DatabaseFiles()
{
    for (const int file : {database_, log_, index_})
        if (file >= 0)
            ::close(file);
}

bool DatabaseFiles::replaced() const
{
    return !same_file(database_, named_);
}

std::optional<DatabaseFiles::Index> DatabaseFiles::shared_index() const
{
    constexpr std::size_t copy_bytes = 48; // it is there twice, so that a half-written one is noticed
    std::array<unsigned char, 2 * copy_bytes + 40> shared{};
    if (!read_exactly(index_, shared.data(), shared.size(), 0) ||
        std::memcmp(shared.data(), shared.data() + copy_bytes, copy_bytes) != 0 || shared[12] == 0)
        return std::nullopt;
    const auto native = [&](std::size_t at) {
        std::uint32_t value = 0;
        std::memcpy(&value, shared.data() + at, sizeof value);
        return value;
    };
    Index result;
    std::memcpy(result.salts.data(), shared.data() + 32, result.salts.size());
    std::uint16_t page = 0;
    std::memcpy(&page, shared.data() + 14, sizeof page);
    result.page_bytes = page == 1 ? 65536U : page;
    result.frames = native(16);
    result.database_pages = native(20);
    result.moved = native(96);
    result.attempted = native(128);
    if (result.page_bytes < 512 || result.page_bytes > 65536 || result.frames == 0 || result.moved > result.frames)
        return std::nullopt;
    return result;
}

/// The same, where -wal agrees.
std::optional<DatabaseFiles::Index> DatabaseFiles::index() const
{
    std::optional<Index> result = shared_index();
    std::array<unsigned char, log_header_bytes> header{};
    if (result && (!read_exactly(log_, header.data(), header.size(), 0) ||
                   std::memcmp(header.data() + 16, result->salts.data(), result->salts.size()) != 0))
        result.reset();
    return result;
}

/// Whether -wal has all frames that -shm tells of.
bool DatabaseFiles::log_is_whole(Index const& index) const
{
    struct stat log {};
    return ::fstat(log_, &log) == 0 && static_cast<std::uint64_t>(log.st_size) >= index.end_of(index.frames) &&
           this->index().has_value();
}

DatabaseFiles::LogFault DatabaseFiles::log_fault()
{
    struct stat shared {};
    if (log_ < 0 || index_ < 0 || ::fstat(index_, &shared) != 0)
        return LogFault::none;
    if (!same_file(index_, path_ + "-shm"))
        return ::access((path_ + "-shm").c_str(), F_OK) == 0 ? LogFault::divided : LogFault::removed;
    index_bytes_ = std::max<std::int64_t>(index_bytes_, shared.st_size);
    if (shared.st_size < index_bytes_)
        return LogFault::emptied;
    // A frame is written before -shm tells of it, and moved before SQLite itself cuts -wal.
    const std::optional<Index> before = shared_index();
    const bool is_whole = !before || before->frames == before->moved || log_is_whole(*before);
    if (!same_file(log_, path_ + "-wal")) {
        struct stat named {};
        const bool is_used = ::stat((path_ + "-wal").c_str(), &named) == 0 && named.st_size > 0;
        return is_used || !is_whole ? LogFault::used : LogFault::removed;
    }
    return !is_whole && shared_index() == before ? LogFault::cut : LogFault::none;
}

void DatabaseFiles::put_log_back() const
{
    const std::optional<Index> index = this->index();
    if (!index || index->frames == index->moved)
        return; // all of it is in the database
    std::vector<char> part(log_header_bytes);
    const auto is_of_this_log = [&](int file, std::uint64_t salts_at) {
        Salts salts{};
        return read_exactly(file, salts.data(), salts.size(), salts_at) && salts == index->salts;
    };
    const std::string name = path_ + "-wal";
    struct stat log {};
    ::fstat(log_, &log);
    const File target{name, O_RDWR | O_CREAT};
    if (target < 0 || ::fchown(target, log.st_uid, log.st_gid) != 0 || ::fchmod(target, log.st_mode & 07777U) != 0)
        fail_by_errno(name, "was removed, and cannot be made again");
    // Others, who share -shm, may have written on behind what is gone.
    const auto put = [&](std::uint64_t at, std::uint64_t salts_at) {
        if (is_of_this_log(target, salts_at) || !is_of_this_log(log_, salts_at))
            return;
        if (!read_exactly(log_, part.data(), part.size(), at) ||
            ::pwrite(target, part.data(), part.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(part.size()))
            fail_by_errno(name, "was removed, and cannot be written again");
    };
    put(0, 16);
    part.resize(frame_header_bytes + index->page_bytes);
    for (std::uint32_t frame = 1; frame <= index->frames; ++frame)
        put(index->end_of(frame - 1), index->end_of(frame - 1) + 8);
    if (::fsync(target) != 0)
        fail_by_errno(name, "was removed, and cannot be made durable again");
}

bool DatabaseFiles::log_is_foreign(std::string_view note) const
{
    for (int look = 0; look < looks_max; ++look) {
        const std::optional<Index> before = index();
        if (!before || !log_is_whole(*before))
            return false;
        const bool differs = before->moved > 0        ? pages_differ(*before)
                             : before->attempted == 0 ? file_differs(*before, note)
                                                      : false; // any page may be moved
        if (!differs)
            return false;
        if (index() == before) // else somebody moves pages at this moment
            return true;
    }
    return false;
}

bool DatabaseFiles::written_after_log() const
{
    struct stat database {};
    struct stat log {};
    if (::fstat(database_, &database) != 0 || ::fstat(log_, &log) != 0 ||
        log.st_size <= static_cast<off_t>(log_header_bytes))
        return false;
    const auto instant = [](timespec const& time) { return std::pair{time.tv_sec, time.tv_nsec}; };
    return instant(database.st_ctim) >= instant(log.st_mtim); // a copy may have brought st_mtim with it
}

/// Nothing of -wal was moved, so the database must be what it was when the note was taken.
bool DatabaseFiles::file_differs(Index const& index, std::string_view note) const
{
    if (field(note, "log=") != text_of(index.salts))
        return false;
    std::int64_t boot = 0;
    const std::string_view noted = field(note, "boot=");
    std::from_chars(noted.data(), noted.data() + noted.size(), boot);
    if (std::abs(boot - boot_time()) > 2)
        return false; // after a crash of the machine -shm may be older than the database
    const std::string now = sample(index.page_bytes);
    return !now.empty() && field(note, "file=") != now;
}

/// What is moved to the database is there, unless it was written again.
bool DatabaseFiles::pages_differ(Index const& index) const
{
    const std::uint64_t frame_bytes = frame_header_bytes + index.page_bytes;
    std::unordered_map<std::uint32_t, std::uint32_t> last; // of each page, its last frame
    for (std::uint32_t frame = 1;; ++frame) {
        std::array<unsigned char, frame_header_bytes> header{};
        if (!read_exactly(log_, header.data(), header.size(), log_header_bytes + (frame - 1) * frame_bytes) ||
            std::memcmp(header.data() + 8, index.salts.data(), index.salts.size()) != 0)
            break;
        if (frame > frames_max)
            return false;
        last[big_endian(header.data())] = frame;
    }
    std::size_t compared = 0;
    std::vector<char> logged(index.page_bytes);
    std::vector<char> stored(index.page_bytes);
    for (auto const& [page, frame] : last) {
        if (frame > index.moved || page == 0 || page > index.database_pages)
            continue;
        if (++compared > compared_pages_max)
            break;
        if (!read_exactly(
                log_, logged.data(), logged.size(), log_header_bytes + (frame - 1) * frame_bytes + frame_header_bytes
            ))
            return false;
        if (!read_exactly(database_, stored.data(), stored.size(), std::uint64_t{page - 1} * index.page_bytes) ||
            logged != stored)
            return true;
    }
    return false;
}

/// Which file it is, its size, and a hash over some of its pages: a new date alone says nothing.
std::string DatabaseFiles::sample(std::uint32_t page_bytes) const
{
    struct stat status {};
    if (::fstat(database_, &status) != 0)
        return {};
    const std::uint64_t pages = static_cast<std::uint64_t>(status.st_size) / page_bytes;
    std::uint64_t hash = 0xcbf29ce484222325U; // FNV-1a
    std::string page(page_bytes, '\0');
    for (std::uint64_t i = 0; i < sampled_pages && i < pages; ++i) {
        const std::uint64_t number = pages <= sampled_pages ? i : i * (pages - 1) / (sampled_pages - 1);
        if (!read_exactly(database_, page.data(), page.size(), number * page_bytes))
            return {};
        for (const char byte : page)
            hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    }
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) + ":" + std::to_string(status.st_size) +
           ":" + std::to_string(hash);
}

std::string DatabaseFiles::note(std::string_view last) const
{
    const std::optional<Index> before = index();
    if (!before || before->attempted > 0 || before->moved > 0 || field(last, "log=") == text_of(before->salts))
        return {};
    const std::string file = sample(before->page_bytes);
    const std::optional<Index> after = index();
    if (file.empty() || !after || after->salts != before->salts || after->attempted > 0)
        return {};
    return "log=" + text_of(before->salts) + " file=" + file + " boot=" + std::to_string(boot_time());
}

std::string DatabaseFiles::note_without_log() const
{
    const auto is_empty = [this] {
        struct stat log {};
        return ::fstat(log_, &log) == 0 && log.st_size == 0;
    };
    if (!is_empty())
        return {};
    std::string file = sample(sampled_bytes);
    return is_empty() ? file : std::string{};
}

std::string DatabaseFiles::separate() const
{
    struct stat shared {};
    if (::fstat(index_, &shared) != 0)
        return {};
    if (same_file(index_, path_ + "-shm"))
        ::unlink((path_ + "-shm").c_str());
    return "separated=" + std::to_string(shared.st_ino);
}

std::optional<std::string> DatabaseFiles::user_of_separated(std::string_view note) const
{
    const std::string_view separated = field(note, "separated=");
    struct stat shared {};
    if (separated.empty() || (::fstat(index_, &shared) == 0 && std::to_string(shared.st_ino) == separated))
        return std::nullopt; // the number is that of another file now
    std::ifstream locks{"/proc/locks"};
    for (std::string line; std::getline(locks, line);) {
        // 1: POSIX  ADVISORY  READ 812 fe:01:131099 128 128
        std::istringstream words{line};
        std::string number;
        std::string kind;
        std::string mode;
        std::string access;
        std::string holder;
        std::string place;
        std::string first;
        words >> number >> kind >> mode >> access >> holder >> place >> first;
        if (kind == "POSIX" && first == std::to_string(open_byte) && place.ends_with(":" + std::string{separated}))
            return "pid " + holder;
    }
    return std::nullopt;
}

void DatabaseFiles::remove_log() const
{
    for (auto const& [file, suffix] : {std::pair{log_, "-wal"}, std::pair{index_, "-shm"}})
        if (same_file(file, path_ + suffix))
            ::unlink((path_ + suffix).c_str());
}

std::string DatabaseFiles::set_log_aside() const
{
    std::string aside = path_ + "-wal.foreign";
    if (same_file(log_, path_ + "-wal"))
        ::rename((path_ + "-wal").c_str(), aside.c_str());
    if (same_file(index_, path_ + "-shm"))
        ::unlink((path_ + "-shm").c_str());
    return aside;
}

} // namespace usher
