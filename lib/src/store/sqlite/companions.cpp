// SPDX-License-Identifier: Apache-2.0
#include "companions.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/crypto/secret.hpp>
#include <usher/store/database.hpp>

#include "file.hpp"
#include "waiting_key.hpp"

namespace usher {

namespace {

constexpr std::size_t key_digits = 64;
constexpr std::size_t mark_bytes = 64;             // one line, padded, so that it is overwritten in one piece
constexpr std::int64_t restores_max = 999'999'999; // that there is room for; nobody but a stranger counts that far

/// Opens a file of usher's own beside the database, never through a link. -1 when it is not there.
int open_own(std::string const& file, int flags)
{
    const int descriptor = ::open(file.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat status {};
    if (descriptor < 0 ? errno == ELOOP || errno == EISDIR || errno == ENXIO
                       : ::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        if (descriptor >= 0)
            ::close(descriptor);
        throw DatabaseError{
            file + ": is not a regular file; remove it, and put the one of the backup in its place if there is one"};
    }
    if (descriptor < 0 && errno != ENOENT && errno != EEXIST)
        fail_by_errno(file, "cannot be opened");
    return descriptor;
}

/// A run as root must leave files that the service can use.
void give_to_owner_of(std::string const& path, int descriptor)
{
    struct stat status {};
    if (::geteuid() == 0 && ::stat(path.c_str(), &status) == 0 &&
        ::fchown(descriptor, status.st_uid, status.st_gid) != 0)
        fail_by_errno(path, "cannot give the owner of the database a file beside it");
}

std::optional<std::string> contents(std::string const& file)
{
    const int descriptor = open_own(file, O_RDONLY);
    if (descriptor < 0)
        return std::nullopt;
    std::string text(key_digits + 2, '\0');
    const auto size = ::read(descriptor, text.data(), text.size());
    ::close(descriptor);
    if (size < 0)
        fail_by_errno(file, "cannot be read");
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::string random_hex(std::size_t bytes)
{
    std::string random(bytes, '\0');
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        fail_by_errno("getrandom", "no random bytes");
    std::string hex = to_hex(random);
    wipe(random);
    return hex;
}

/// With its length before it, so that no two messages read alike.
std::string measured(std::string_view part)
{
    return std::to_string(part.size()) + ":" + std::string{part};
}

} // namespace

std::string Seal::of(
    std::string_view database_id, std::string_view meeting_id, SessionRow const& session, std::int64_t created_at
) const
{
    std::string message = "usher session 1";
    for (const std::string_view part :
         {database_id, meeting_id, std::string_view{session.session_id}, std::string_view{session.provider},
          std::string_view{session.project}, std::string_view{session.project_key}, std::string_view{session.options},
          std::string_view{session.adopted ? "adopted" : "made"}})
        message += measured(part);
    message += measured(std::to_string(created_at));
    return std::string{std::string_view{key_->sign(message)}.substr(0, 16)};
}

std::optional<Seal> read_seal(std::string const& path)
{
    take_waiting_key(path); // where a restore was killed before it could
    if (char const* const folder = std::getenv("CREDENTIALS_DIRECTORY"))
        if (auto given = read_key(std::string{folder} + "/usher.db.key"))
            return given;
    return read_key(path + ".key");
}

std::optional<Seal> read_key(std::string const& file)
{
    std::optional<std::string> key = contents(file);
    if (!key)
        return std::nullopt;
    if (key->ends_with('\n'))
        key->pop_back();
    if (key->size() != key_digits || key->find_first_not_of("0123456789abcdef") != std::string::npos)
        throw DatabaseError{
            file + ": is no key of usher's, which has 64 hex digits; put the right one in its place, from a backup of "
                   "the database or from what a restore has left as .replaced.key, or remove it and accept all "
                   "sessions that are there with: usherctl init --adopt-sessions"};
    const Seal seal{*key};
    wipe(*key);
    return seal;
}

Seal make_seal(std::string const& path, std::string const& file)
{
    const int descriptor = open_own(file, O_WRONLY | O_CREAT | O_EXCL);
    if (descriptor < 0)
        fail_by_errno(file, "cannot be created");
    give_to_owner_of(path, descriptor);
    std::string key = random_hex(key_digits / 2);
    const std::string line = key + "\n";
    const bool written =
        ::write(descriptor, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(descriptor) == 0;
    ::close(descriptor);
    if (!written) {
        ::unlink(file.c_str());
        fail_by_errno(file, "cannot be written");
    }
    Seal seal{key};
    wipe(key);
    return seal;
}

KeyFile::KeyFile(std::string const& path) : path_{path}, file_{path + ".key"}, descriptor_{open_own(file_, O_RDONLY)} {}

KeyFile::~KeyFile()
{
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

void KeyFile::put_back()
{
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0 || status.st_nlink > 0)
        return;
    const int made = ::open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0)
        return; // another is in its place, or there is no room: then it is tried again
    std::string line(key_digits + 1, '\0');
    const auto size = ::pread(descriptor_, line.data(), line.size(), 0);
    const bool written = size > 0 && ::write(made, line.data(), static_cast<std::size_t>(size)) == size;
    wipe(line);
    if (!written || ::fsync(made) != 0) {
        ::unlink(file_.c_str());
        ::close(made);
        return;
    }
    give_to_owner_of(path_, made);
    ::close(std::exchange(descriptor_, made));
}

std::string random_id()
{
    return random_hex(16);
}

MarkFile::MarkFile(std::string const& path) : path_{path}, file_{path + ".mark"}
{
    open();
}

void MarkFile::open()
{
    descriptor_ = open_own(file_, O_RDWR | O_CREAT);
    if (descriptor_ < 0)
        fail_by_errno(file_, "cannot be opened");
    give_to_owner_of(path_, descriptor_);
}

MarkFile::~MarkFile()
{
    ::close(descriptor_);
}

bool MarkFile::is_there() const
{
    struct stat status {};
    return ::fstat(descriptor_, &status) == 0 && status.st_nlink > 0;
}

std::optional<Mark> MarkFile::read() const
{
    std::array<char, mark_bytes> buffer{};
    const auto size = ::pread(descriptor_, buffer.data(), buffer.size(), 0);
    if (size < 0)
        fail_by_errno(file_, "cannot be read");
    const std::string_view line{buffer.data(), static_cast<std::size_t>(size)};
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos)
        return std::nullopt;
    Mark mark{std::string{line.substr(0, space)}};
    char const* const end = line.data() + line.size();
    const auto seq = std::from_chars(line.data() + space + 1, end, mark.seq);
    if (seq.ec != std::errc{})
        return std::nullopt;
    if (seq.ptr != end) // blank where there was none to keep
        std::from_chars(seq.ptr + 1, end, mark.restores);
    return mark;
}

void MarkFile::write(Mark const& mark)
{
    if (!is_there()) { // then it is made again
        ::close(std::exchange(descriptor_, -1));
        open();
    }
    std::string line = mark.database_id + " " + std::to_string(mark.seq);
    if (mark.restores > 0 && mark.restores <= restores_max)
        line += " " + std::to_string(mark.restores);
    line.resize(mark_bytes - 1, ' ');
    line += '\n';
    if (::pwrite(descriptor_, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()))
        fail_by_errno(file_, "cannot be written");
}

} // namespace usher
