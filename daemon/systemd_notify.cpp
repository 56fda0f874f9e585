// SPDX-License-Identifier: Apache-2.0
#include "systemd_notify.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
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
    notify("READY", "1");
}

void notify_stopping()
{
    notify("STOPPING", "1");
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
