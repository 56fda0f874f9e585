// SPDX-License-Identifier: Apache-2.0
#include "line_writer.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace usher {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kept_bytes_max = 1 << 20;
constexpr std::size_t kept_datagrams_max = 1024;
constexpr milliseconds again_while_it_reads{10};
constexpr milliseconds again_while_it_does_not{1000};

std::atomic<bool> hurried = false;

bool takes_more(int descriptor, int at_most_ms)
{
    pollfd writable{descriptor, POLLOUT, 0};
    return ::poll(&writable, 1, at_most_ms) > 0; // also when a write would fail: then it says why
}

} // namespace

void hurry_readers()
{
    hurried = true;
}

LineWriter::LineWriter(int descriptor) : descriptor_{descriptor}
{
    struct stat status {};
    if (::fstat(descriptor, &status) != 0)
        return;
    socket_ = S_ISSOCK(status.st_mode);
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
        const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
        own_ = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        may_wait_ = own_ < 0; // for one, it belongs to another user
    }
}

LineWriter::LineWriter(DatagramSocket socket) : descriptor_{-1}, socket_path_{std::move(socket.path)}
{
    own_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect();
}

LineWriter::~LineWriter()
{
    if (own_ >= 0)
        ::close(own_);
}

void LineWriter::print(std::string line)
{
    const std::lock_guard lock{mutex_};
    keep(std::move(line));
    push_kept();
}

void LineWriter::offer(std::string line, std::optional<LogSeverity> severity)
{
    const std::lock_guard lock{mutex_};
    push_kept();
    const std::size_t priority = severity ? static_cast<std::size_t>(*severity) : 0;
    const bool is_full =
        kept_bytes_ + line.size() > kept_bytes_max || (!socket_path_.empty() && kept_.size() >= kept_datagrams_max);
    if (dropped_ > 0 || is_full) {
        ++dropped_;
        count(fates_.dropped, priority);
        return;
    }
    keep(std::move(line), priority);
    push_kept();
}

void LineWriter::tell_dropped(Notice const& notice)
{
    const std::lock_guard lock{mutex_};
    if (dropped_ == 0 || push_kept() != Pushed::all)
        return;
    const std::size_t told = std::exchange(dropped_, 0);
    keep(notice(told));
    if (push_kept() == Pushed::failed)
        dropped_ = told; // the notice itself does not count
}

std::optional<milliseconds> LineWriter::push()
{
    const std::lock_guard lock{mutex_};
    if (push_kept() != Pushed::a_part)
        return std::nullopt;
    return std::exchange(reads_, false) ? again_while_it_reads : again_while_it_does_not;
}

bool LineWriter::finish(std::optional<milliseconds> at_most)
{
    if (hurried)
        at_most = std::min<milliseconds>(at_most.value_or(reader_patience), reader_patience);
    const auto deadline = steady_clock::now() + at_most.value_or(milliseconds{0});
    while (push()) {
        const auto left = duration_cast<milliseconds>(deadline - steady_clock::now()) + milliseconds{1};
        if (at_most && left <= milliseconds{0})
            return false;
        takes_more(own_ < 0 ? descriptor_ : own_, at_most ? static_cast<int>(left.count()) : -1);
    }
    return true;
}

bool LineWriter::failed() const
{
    const std::lock_guard lock{mutex_};
    return failed_;
}

bool LineWriter::is_connected() const
{
    const std::lock_guard lock{mutex_};
    return connected_;
}

LineFates LineWriter::fates() const
{
    const std::lock_guard lock{mutex_};
    return fates_;
}

void LineWriter::keep(std::string line, std::size_t priority)
{
    kept_bytes_ += line.size();
    kept_.push_back({std::move(line), priority});
}

void LineWriter::count(std::array<std::uint64_t, log_priorities>& counts, std::size_t priority)
{
    if (priority > 0)
        ++counts[priority];
}

/// These lines are lost; those that follow may do better.
void LineWriter::lose_kept()
{
    failed_ = true;
    broken_off_ = written_ > 0;
    dropped_ += kept_.size();
    for (Line const& line : kept_)
        count(fates_.dropped, line.priority);
    kept_.clear();
    kept_bytes_ = written_ = 0;
}

LineWriter::Pushed LineWriter::push_kept()
{
    while (!kept_.empty()) {
        if (broken_off_) {
            kept_.front().text.insert(0, 1, '\n');
            ++kept_bytes_;
            broken_off_ = false;
        }
        const std::ptrdiff_t size = write_some(std::string_view{kept_.front().text}.substr(written_));
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return Pushed::a_part;
        if (size < 0) { // a full disk, or nobody has the other end
            lose_kept();
            return Pushed::failed;
        }
        reads_ = true;
        written_ += static_cast<std::size_t>(size);
        if (written_ == kept_.front().text.size()) {
            count(fates_.written, kept_.front().priority);
            kept_bytes_ -= written_;
            written_ = 0;
            kept_.pop_front();
        }
    }
    return Pushed::all;
}

/// To the socket of that name as it is now: somebody may have made it anew.
bool LineWriter::connect()
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (own_ < 0 || socket_path_.size() >= sizeof address.sun_path) {
        errno = ENOTCONN;
        return connected_ = false;
    }
    std::memcpy(address.sun_path, socket_path_.c_str(), socket_path_.size() + 1);
    return connected_ = ::connect(own_, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
}

std::ptrdiff_t LineWriter::send_datagram(std::string_view text)
{
    const auto send = [&] { return ::send(own_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL); };
    const std::ptrdiff_t size = connected_ ? send() : -1;
    const bool is_gone =
        !connected_ || (size < 0 && (errno == ECONNREFUSED || errno == ECONNRESET || errno == ENOTCONN));
    return is_gone && connect() ? send() : size;
}

/// As ::write, but with EAGAIN for what would have to wait.
std::ptrdiff_t LineWriter::write_some(std::string_view text)
{
    if (!socket_path_.empty())
        return send_datagram(text);
    if (socket_)
        return ::send(descriptor_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (own_ >= 0)
        return ::write(own_, text.data(), text.size());
    if (may_wait_) {
        if (!takes_more(descriptor_, 0)) {
            errno = EAGAIN;
            return -1;
        }
        text = text.substr(0, PIPE_BUF); // a pipe that takes more takes as much as that
    }
    return ::write(descriptor_, text.data(), text.size());
}

LineWriter& standard_output()
{
    static auto* const writer = new LineWriter{STDOUT_FILENO};
    return *writer;
}

LineWriter& standard_error()
{
    static auto* const writer = new LineWriter{STDERR_FILENO};
    return *writer;
}

} // namespace usher
