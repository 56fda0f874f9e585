// SPDX-License-Identifier: Apache-2.0
#include "simulation/shrink.hpp"

#include <cstdio>
#include <optional>
#include <utility>

namespace usher::simulation {

namespace {

class Shrinker {
public:
    Shrinker(Shrunk first, std::function<void(std::string const&)> const& tell)
        : best_{std::move(first)}, kind_{best_.result.kind}, tell_{tell}
    {}

    Shrunk run()
    {
        // What comes later is of no account, if it is there at all.
        best_.options.violations_max = 1;
        shorten();
        faults();
        meetings();
        for (std::string const& kind : edit_kind_names())
            try_without(kind);
        faults();
        shorten();
        return std::move(best_);
    }

private:
    bool fails(MonthOptions const& options)
    {
        ++best_.runs;
        MonthResult result = run_month(options);
        if (result.kind != kind_)
            return false;
        best_.options = options;
        best_.result = std::move(result);
        return true;
    }

    void told(std::string const& what)
    {
        tell_(
            what + ": " + std::to_string(best_.result.events) + " events, " +
            std::to_string(best_.result.faults_planned.size()) + " faults, " + std::to_string(best_.runs) + " runs"
        );
    }

    void shorten()
    {
        for (const double part : {0.1, 0.3, 0.6}) {
            MonthOptions options = best_.options;
            options.until = best_.options.until.value_or(best_.options.days) * part;
            if (fails(options))
                break;
        }
        told("less time");
    }

    void faults()
    {
        const MonthOptions options = best_.options;
        least<int>(best_.result.faults_planned, [&](std::vector<int> const& left) {
            MonthOptions fewer = options;
            fewer.only_faults.emplace(left.begin(), left.end());
            return fails(fewer);
        });
        told("fewer faults");
    }

    void meetings()
    {
        const MonthOptions options = best_.options;
        least<std::string>(best_.result.names, [&](std::vector<std::string> const& left) {
            if (left.empty())
                return false; // it would mean all
            MonthOptions fewer = options;
            fewer.only_meetings = {left.begin(), left.end()};
            return fails(fewer);
        });
        told("fewer meetings");
    }

    void try_without(std::string const& kind)
    {
        MonthOptions options = best_.options;
        if (!options.without.insert(kind).second)
            return;
        const Shrunk before = best_;
        const bool fails_still = fails(options);
        if (fails_still && best_.result.events < before.result.events)
            return told("without " + kind);
        best_.options = before.options; // there was none, or it is needed
        best_.result = before.result;
    }

    Shrunk best_;
    std::string kind_;
    std::function<void(std::string const&)> const& tell_;
};

template <class Items, class ToText>
std::string list(char const* option, Items const& items, ToText to_text)
{
    std::string text;
    for (auto const& item : items)
        text += (text.empty() ? "" : ",") + to_text(item);
    return std::string{" "} + option + " " + (text.empty() ? "none" : text);
}

} // namespace

Shrunk shrink(MonthOptions options, MonthResult result, std::function<void(std::string const&)> const& tell)
{
    return Shrinker{{std::move(options), std::move(result)}, tell}.run();
}

std::string leaving_out(MonthOptions const& options)
{
    const auto as_it_is = [](std::string const& text) { return text; };
    std::string text;
    if (options.until) {
        char days[32];
        std::snprintf(days, sizeof days, "%.17g", *options.until);
        text += std::string{" --until "} + days;
    }
    if (!options.without.empty())
        text += list("--without", options.without, as_it_is);
    if (options.only_faults)
        text += list("--faults", *options.only_faults, [](int number) { return std::to_string(number); });
    if (!options.only_meetings.empty())
        text += list("--meetings", options.only_meetings, as_it_is);
    return text;
}

} // namespace usher::simulation
