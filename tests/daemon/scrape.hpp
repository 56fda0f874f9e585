// SPDX-License-Identifier: Apache-2.0
// What Prometheus reads of usherd.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace usher::test {

struct PageAnswer {
    int status = 0; ///< 0: there was none.
    std::string body;
};

/// Asks a usherd that listens at a socket.
inline PageAnswer get_page(std::string const& socket_path, std::string const& target)
{
    const int peer = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
    std::string text;
    if (::connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        const std::string request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        (void)!::write(peer, request.data(), request.size());
        char buffer[65536];
        for (ssize_t size = 0; (size = ::read(peer, buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
    }
    ::close(peer);
    const std::size_t body = text.find("\r\n\r\n");
    if (body == std::string::npos)
        return {};
    return {std::stoi(text.substr(std::strlen("HTTP/1.1 "))), text.substr(body + 4)};
}

/// One line of the text format.
struct Series {
    std::string name;
    std::map<std::string, std::string> labels;
    double value = 0;
};

class Scrape {
public:
    explicit Scrape(std::string const& text)
    {
        std::istringstream lines{text};
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words{line};
            std::string hash;
            std::string type;
            std::string name;
            if (words >> hash >> type >> name && hash == "#" && type == "TYPE")
                words >> types_[name];
            if (!line.empty() && line.front() != '#')
                series_.push_back(read(line));
        }
    }

    std::vector<Series> const& series() const { return series_; }
    /// Of families: a histogram has one name.
    std::map<std::string, std::string> const& types() const { return types_; }

    bool has(std::string const& name) const
    {
        for (Series const& each : series_)
            if (each.name == name)
                return true;
        return false;
    }
    /// Of all series of this name that have these labels.
    double sum(std::string const& name, std::map<std::string, std::string> const& labels = {}) const
    {
        double sum = 0;
        for (Series const& each : series_) {
            bool fits = each.name == name;
            for (auto const& [label, value] : labels) {
                const auto found = each.labels.find(label);
                fits = fits && found != each.labels.end() && found->second == value;
            }
            sum += fits ? each.value : 0;
        }
        return sum;
    }

private:
    /// Values of labels have no quotes in these tests.
    static Series read(std::string const& line)
    {
        Series series;
        const std::size_t brace = line.find('{');
        const std::size_t end = line.rfind(' ');
        series.name = line.substr(0, std::min(brace, end));
        series.value = std::stod(line.substr(end));
        for (std::size_t at = brace; at < end && line[at] != '}';) {
            const std::size_t equals = line.find('=', at);
            const std::size_t close = line.find('"', equals + 2);
            series.labels[line.substr(at + 1, equals - at - 1)] = line.substr(equals + 2, close - equals - 2);
            at = close + 1;
        }
        return series;
    }

    std::vector<Series> series_;
    std::map<std::string, std::string> types_;
};

} // namespace usher::test
