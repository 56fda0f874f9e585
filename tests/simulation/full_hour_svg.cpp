// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "simulation/full_hour.hpp"

namespace usher::simulation {

namespace {

constexpr int width = 900;
constexpr int left = 70;
constexpr int right = 20;
constexpr int height = 170; // of one picture
constexpr int gap = 80;     // above it: its title
constexpr int head = 30;

struct Curve {
    std::vector<int> const& values;
    char const* colour;
    char const* name;
    bool adds_up = false; ///< Shown is the sum from the first minute on.
    bool is_area = false;
};

std::string number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
}

std::string clock_time(int minute)
{
    char text[32];
    std::snprintf(text, sizeof text, "%d:%02d", minute / 60 % 24, minute % 60);
    return text;
}

std::string with_points(std::int64_t value)
{
    std::string text = std::to_string(value);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), ",");
    return text;
}

/// 1, 2 or 5 times a power of ten, not below `value`.
int round_up(int value)
{
    for (int power = 1; power < 1'000'000'000; power *= 10)
        for (const int step : {1, 2, 5})
            if (value <= step * power)
                return step * power;
    return value;
}

class Picture {
public:
    Picture(int place, int from, int to, std::string title)
        : top_{head + place * (height + gap) + gap / 2}, from_{from}, to_{to}, title_{std::move(title)}
    {}

    std::string draw(std::vector<Curve> const& curves, FullHour const& hour) const
    {
        std::vector<std::vector<int>> shown;
        int most = 1;
        for (Curve const& curve : curves) {
            shown.push_back(shown_of(curve));
            for (int m = from_; m < to_; ++m)
                most = std::max(most, shown.back().at(static_cast<std::size_t>(m)));
        }
        const int top = round_up(most);
        std::string text = "<text class='title' x='" + std::to_string(left) + "' y='" + std::to_string(top_ - 26) +
                           "'>" + title_ + "</text>\n" + troubles(hour) + axes(top);
        int at = left;
        for (std::size_t i = 0; i < curves.size(); ++i) {
            text += line(shown[i], curves[i], top);
            text += "<rect x='" + std::to_string(at) + "' y='" + std::to_string(top_ - 17) +
                    "' width='10' height='10' fill='" + curves[i].colour + "'/><text x='" + std::to_string(at + 14) +
                    "' y='" + std::to_string(top_ - 8) + "'>" + curves[i].name + "</text>\n";
            at += 40 + 6 * static_cast<int>(std::string{curves[i].name}.size());
        }
        return text;
    }

private:
    static std::vector<int> shown_of(Curve const& curve)
    {
        std::vector<int> values = curve.values;
        if (curve.adds_up)
            for (std::size_t m = 1; m < values.size(); ++m)
                values[m] += values[m - 1];
        return values;
    }

    double x(double minute) const { return left + (minute - from_) * (width - left - right) / (to_ - from_); }
    double y(double value, int top) const { return top_ + height - value * height / top; }

    /// Shaded, where anything is wrong.
    std::string troubles(FullHour const& hour) const
    {
        std::string text;
        const auto shade = [&](int from, int to, char const* what) {
            if (to <= from_ || from >= to_)
                return;
            text += "<rect class='trouble' x='" + number(x(from)) + "' y='" + std::to_string(top_) + "' width='" +
                    number(std::max(x(to) - x(from), 2.0)) + "' height='" + std::to_string(height) + "'><title>" +
                    what + "</title></rect>\n";
        };
        shade(hour.ten - 40, hour.ten - 20, "the vendor is away");
        shade(hour.ten - 15, hour.ten - 15, "usherd is killed");
        shade(hour.ten - 10, hour.ten - 5, "the clock is an hour behind");
        return text;
    }

    std::string axes(int top) const
    {
        std::string text;
        for (int part = 0; part <= 4; ++part) {
            const double height_of = y(top * part / 4.0, top);
            text += "<line class='grid' x1='" + std::to_string(left) + "' x2='" + std::to_string(width - right) +
                    "' y1='" + number(height_of) + "' y2='" + number(height_of) + "'/><text class='scale' x='" +
                    std::to_string(left - 6) + "' y='" + number(height_of + 4) + "'>" +
                    with_points(static_cast<std::int64_t>(top) * part / 4) + "</text>\n";
        }
        const int step = (to_ - from_) > 240 ? 60 : (to_ - from_) > 60 ? 15 : 5;
        for (int minute = from_; minute <= to_; minute += step)
            text += "<text class='time' x='" + number(x(minute)) + "' y='" + std::to_string(top_ + height + 15) + "'>" +
                    clock_time(minute) + "</text>\n";
        return text;
    }

    std::string line(std::vector<int> const& values, Curve const& curve, int top) const
    {
        std::string points;
        for (int m = from_; m < to_; ++m) { // each minute is a step
            const double at = y(values.at(static_cast<std::size_t>(m)), top);
            points += number(x(m)) + "," + number(at) + " " + number(x(m + 1)) + "," + number(at) + " ";
        }
        if (curve.is_area)
            return "<polygon fill='" + std::string{curve.colour} + "' points='" + number(x(from_)) + "," +
                   number(y(0, top)) + " " + points + number(x(to_)) + "," + number(y(0, top)) + "'/>\n";
        return "<polyline fill='none' stroke-width='2' stroke='" + std::string{curve.colour} + "' points='" + points +
               "'/>\n";
    }

    int top_;
    int from_;
    int to_;
    std::string title_;
};

} // namespace

std::string to_svg(FullHour const& hour)
{
    const int total = head + 4 * (height + gap) + 20;
    std::string text = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " + std::to_string(width) + " " +
                       std::to_string(total) +
                       "' font-family='sans-serif' font-size='11'>\n"
                       "<style>.title{font-size:14px;font-weight:bold}.grid{stroke:#ddd}.scale{text-anchor:end}"
                       ".time{text-anchor:middle}.trouble{fill:#f4d9d0}</style>\n"
                       "<rect width='100%' height='100%' fill='white'/>\n"
                       "<text x='70' y='18'>Shaded: 9:20 to 9:40 the vendor is away; 9:45 usherd is killed; 9:50 to "
                       "9:55 its machine's clock is an hour behind.</text>\n";
    text += Picture{0, hour.ten - 150, hour.ten + 30, "Meetings that begin at 10:00"}.draw(
        {{hour.booked, "#999999", "booked", true},
         {hour.made, "#e0a030", "with a session", true},
         {hour.ready, "#2a7f4f", "with a credential for everybody", true}},
        hour
    );
    text += Picture{1, hour.ten - 150, hour.ten + 30, "Work in each minute"}.draw(
        {{hour.signed_tokens, "#7090c0", "tokens signed", false, true}, {hour.calls, "#c03030", "calls to the vendor"}},
        hour
    );
    text += Picture{2, hour.ten - 10, hour.ten + 30, "People at the door who have to wait"}.draw(
        {{hour.waiting_in_outage, "#e8b8a0", "made at join, the vendor away from 9:50 to 10:10", false, true},
         {hour.waiting_at_join, "#c03030", "made at join"},
         {hour.waiting, "#2a7f4f", "with usher"}},
        hour
    );
    text += Picture{3, hour.ten - 10, hour.ten + 150, "If usherd and the vendor stop at 10:00 for good"}.draw(
        {{hour.live, "#cccccc", "meetings that are on", false, true},
         {hour.covered, "#2a7f4f", "of these, with good credentials for everybody"}},
        hour
    );
    return text + "</svg>\n";
}

} // namespace usher::simulation
