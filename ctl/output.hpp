// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <usher/core/numbers.hpp>
#include <usher/core/time.hpp>
#include <usher/store/errors.hpp>
#include <usher/store/report.hpp>

#include "commands.hpp"
#include "printer.hpp"

namespace usher::ctl {

using Json = nlohmann::ordered_json;

/// Writes one document, indented. Bytes that are not UTF-8 become U+FFFD.
void print(Printer& out, Json const& document);

/// What every answer begins with. Keys are only ever added; one without a value is null.
Json answer(std::string_view command, sys_seconds now);

Json json_of(std::optional<sys_seconds> instant);
Json json_or_null(std::string const& text); ///< Null where it is empty.
Json json_of_texts(std::vector<std::string> const& texts);

/// `{total, items}`.
template <class Item, class Convert>
Json json_of_listing(Listing<Item> const& listing, Convert convert)
{
    Json items = Json::array();
    for (Item const& item : listing.items)
        items.push_back(convert(item));
    Json result = Json::object();
    result["total"] = listing.total;
    result["items"] = std::move(items);
    return result;
}

/// What a command could not do, with the way out if there is one. Returns exit_could_not.
struct Error {
    std::string_view code; ///< For programs.
    std::string message;   ///< What it could not, without the full stop.
    std::string to_do{};
};
int cannot(Context& context, std::string_view command, Error const& error);

/// Asks before something that cannot be taken back, of which `warning` is the sentence; only a terminal can answer.
/// Says so when the answer is no.
bool agreed(Context& context, std::string_view command, std::string const& warning);

/// A daemon runs that must not, or another usherctl.
int already_at_work(Context& context, std::string_view command, AlreadyAtWork const& error);

/// `usherctl: explain: no meeting openning; nearest: opening.` `command` becomes the way out, with the nearest.
int not_found(
    Context& context, std::string_view name, std::string const& what, std::string_view id,
    std::optional<std::string> const& nearest, std::string const& command
);

} // namespace usher::ctl
