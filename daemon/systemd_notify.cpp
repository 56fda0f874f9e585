// SPDX-License-Identifier: Apache-2.0
#include "systemd_notify.hpp"

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <usher/core/printable.hpp>

namespace usher {

namespace {

using namespace std::string_view_literals;

/// The newest value of each word that systemd has not taken yet.
std::map<std::string, std::string, std::less<>> untold;

enum class Sent { yes, not_yet, never };

/// One datagram, as sd_notify(3) describes it. The function of that name waits for as long as systemd does not read.
Sent send(std::string_view text)
{
    char const* const name = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    if (name == nullptr || std::strlen(name) < 2 || std::strlen(name) >= sizeof address.sun_path ||
        (name[0] != '/' && name[0] != '@'))
        return Sent::never;
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, name);
    if (name[0] == '@')
        address.sun_path[0] = '\0'; // an abstract name
    const auto length =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(name) + (name[0] == '/' ? 1 : 0));

    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0)
        return Sent::not_yet;
    const auto size =
        ::sendto(socket, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), length);
    const bool full = size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS);
    ::close(socket);
    if (size >= 0)
        return Sent::yes;
    return full ? Sent::not_yet : Sent::never;
}

void notify(std::string const& word, std::string value)
{
    untold[word] = std::move(value);
    notify_again();
}

} // namespace

void notify_ready()
{
    untold.erase("RELOADING");
    untold.erase("MONOTONIC_USEC");
    notify("READY", "1");
}

void notify_stopping()
{
    notify("STOPPING", "1");
}

void notify_reloading()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now); // systemd compares it with its own
    const std::int64_t microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
    untold.erase("READY"); // of before: it would end this reload
    untold.insert_or_assign("RELOADING", std::string(1, '1'));
    notify("MONOTONIC_USEC", std::to_string(microseconds));
}

void notify_slow_start(std::chrono::seconds more)
{
    notify("EXTEND_TIMEOUT_USEC", std::to_string(std::chrono::microseconds{more}.count()));
}

void notify_watchdog()
{
    send("WATCHDOG=1\n");
}

std::optional<std::chrono::microseconds> watchdog_interval()
{
    char const* const interval = std::getenv("WATCHDOG_USEC");
    char const* const pid = std::getenv("WATCHDOG_PID");
    if (interval == nullptr || (pid != nullptr && std::to_string(::getpid()) != pid))
        return std::nullopt;
    const std::string_view text{interval};
    std::int64_t microseconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), microseconds);
    if (error != std::errc{} || end != text.data() + text.size() || microseconds <= 0)
        return std::nullopt;
    return std::chrono::microseconds{microseconds};
}

bool is_notified()
{
    return std::getenv("NOTIFY_SOCKET") != nullptr;
}

void notify_status(std::string const& sentence)
{
    notify("STATUS", printable(sentence));
}

bool notify_again()
{
    if (untold.empty())
        return true;
    std::string text;
    for (auto const& [word, value] : untold)
        text += word + '=' + value + '\n';
    if (send(text) == Sent::not_yet)
        return false;
    untold.clear();
    return true;
}

} // namespace usher
