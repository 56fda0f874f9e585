// SPDX-License-Identifier: Apache-2.0
#include <usher/store/sqlite/instance_lock.hpp>

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <usher/core/printable.hpp>
#include <usher/store/process.hpp>

namespace usher {

namespace {

constexpr std::size_t lines_bytes_max = 1024;

/// The two lines that the holder wrote.
std::pair<std::string, std::string> read_lines(int descriptor)
{
    std::array<char, lines_bytes_max> text{};
    const auto size = ::pread(descriptor, text.data(), text.size(), 0);
    const std::string_view all{text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
    const auto end = std::min(all.find('\n'), all.size());
    const std::string_view rest = all.substr(std::min(end + 1, all.size()));
    return {printable(all.substr(0, end)), std::string{rest.substr(0, rest.find('\n'))}};
}

/// Opens DATABASE.lock as a file of `owner` that nobody else can open.
int open_lock(std::string const& path, uid_t owner)
{
    const auto open = [&] {
        return ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    };
    int descriptor = open();
    int error = errno;
    struct stat status {};
    if (descriptor < 0 && error == EACCES && ::lstat(path.c_str(), &status) == 0 && status.st_uid != owner &&
        ::unlink(path.c_str()) == 0) {
        descriptor = open(); // no daemon that works leaves a file of anybody else
        error = errno;
    }
    if (descriptor < 0 && error == EACCES)
        throw DatabaseReadOnly{
            path + ": this account may not write it", "run this as the account that the database belongs to"};
    if (descriptor < 0) {
        throw DatabaseError{
            path + (error == ELOOP ? ": is a symbolic link; remove it: usherd keeps its lock there"
                                   : ": cannot be opened: " + describe_errno(error))};
    }
    const auto refuse = [&](std::string const& reason) {
        ::close(descriptor);
        throw DatabaseError{path + ": " + reason};
    };
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink > 1)
        refuse("is not a file of its own; remove it: usherd keeps its lock there");
    if (status.st_uid != owner && ::geteuid() == 0 && ::fchown(descriptor, owner, static_cast<gid_t>(-1)) != 0)
        refuse("cannot be given to the database's owner: " + describe_errno(errno));
    if ((status.st_mode & 07777U) != 0600 && ::fchmod(descriptor, 0600) != 0)
        refuse("others can open it, and this account cannot change that; remove it");
    return descriptor;
}

} // namespace

InstanceLock::InstanceLock(std::string const& database, std::string const& who)
    : path_{database + ".lock"}, who_{printable(who)}
{
    struct stat file {};
    const uid_t owner = ::stat(database.c_str(), &file) == 0 ? file.st_uid : ::geteuid();
    for (;;) {
        descriptor_ = open_lock(path_, owner);
        // A lock of the open file. Anybody who may read the file could hold a flock() on it.
        struct flock whole {};
        whole.l_type = F_WRLCK;
        whole.l_whence = SEEK_SET;
        if (::fcntl(descriptor_, F_OFD_SETLK, &whole) != 0) {
            const int error = errno;
            const std::string holder = read_lines(descriptor_).first;
            ::close(descriptor_);
            if (error != EAGAIN && error != EACCES)
                throw DatabaseError{path_ + ": cannot be locked: " + describe_errno(error)};
            throw AlreadyAtWork{
                database + ": another usherd is at work on it (" + holder + "); stop that one first", holder};
        }
        struct stat ours {};
        struct stat named {};
        if (::fstat(descriptor_, &ours) == 0 && ::lstat(path_.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
            ours.st_dev == named.st_dev)
            break;
        ::close(descriptor_); // somebody put another file in its place meanwhile
    }
    note_ = read_lines(descriptor_).second;
    write_lines(note_);
}

InstanceLock::~InstanceLock()
{
    ::close(descriptor_);
}

void InstanceLock::leave_note(std::string_view line)
{
    note_ = line;
    write_lines(note_);
}

/// Failures are ignored: the lines serve messages, and the next start, which can do without them.
void InstanceLock::write_lines(std::string_view note)
{
    const std::string text = who_ + "\n" + std::string{note} + "\n";
    if (text.size() <= lines_bytes_max && ::pwrite(descriptor_, text.data(), text.size(), 0) >= 0) [[maybe_unused]]
        const int done = ::ftruncate(descriptor_, static_cast<off_t>(text.size()));
}

} // namespace usher
