// SPDX-License-Identifier: Apache-2.0
#include "config/walker.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <usher/core/nearest.hpp>
#include <usher/core/printable.hpp>
#include <usher/core/role.hpp>
#include <usher/core/url.hpp>

#include "config/file.hpp"
#include "config/secret_file.hpp"

namespace usher {

namespace {

/// `one of a, b`, or the only one.
std::string one_of(std::span<std::string_view const> names)
{
    std::string text = names.size() > 1 ? "one of " : "";
    for (std::size_t i = 0; i < names.size(); ++i)
        text.append(i == 0 ? "" : ", ").append(names[i]);
    return text;
}

} // namespace

std::string under(std::string const& parent, std::string_view name)
{
    return parent.empty() ? std::string{name} : parent + "." + std::string{name};
}

void Walker::add(ConfigEntry const& entry, std::string message)
{
    mistakes_.add(entry.at, entry.key, std::move(message));
}

ConfigEntries Walker::entries(ConfigEntry const& map, IsKey const& is_key)
{
    ConfigEntries found;
    for (auto const& pair : map.value) {
        if (mistakes_.full())
            break;
        Position at = position_of(pair.first.Mark());
        if (at.line == 0)
            at = map.at;
        if (!pair.first.IsScalar()) {
            mistakes_.add(at, map.key, "expected a name as key, got " + std::string{node_kind(pair.first)});
            continue;
        }
        std::string const& name = pair.first.Scalar();
        if (found.contains(name)) {
            mistakes_.add(at, under(map.key, printable(name)), "the key is there twice");
            continue;
        }
        if (!is_key(name, at))
            continue;
        const Position value_at = position_of(pair.second.Mark());
        const bool missing = value_at.line == 0 || pair.second.IsNull();
        found.emplace(name, ConfigEntry{pair.second, under(map.key, printable(name)), missing ? at : value_at});
    }
    return found;
}

ConfigEntries Walker::known_entries(ConfigEntry const& map, std::span<KeyDeclaration const> keys)
{
    return entries(map, [&](std::string const& name, Position at) {
        if (std::any_of(keys.begin(), keys.end(), [&](KeyDeclaration const& key) { return key.name == name; }))
            return true;
        mistakes_.add(at, under(map.key, printable(name)), unknown_key(name, keys));
        return false;
    });
}

std::string Walker::unknown_key(std::string_view name, std::span<KeyDeclaration const> keys) const
{
    if (const auto home = keys_.home_of(name))
        return "unknown key here; did you mean " + *home + "?";
    const auto names = key_names(keys);
    if (const auto meant = nearest(name, names))
        return "unknown key; did you mean " + std::string{*meant} + "?";
    return "unknown key; expected " + one_of(names);
}

Section Walker::section(ConfigEntries const& parent, std::string_view name, std::span<KeyDeclaration const> keys)
{
    Section section;
    if (const auto found = parent.find(name); found != parent.end() && !found->second.value.IsNull()) {
        if (found->second.value.IsMap())
            section.written = known_entries(found->second, keys);
        else
            add(found->second, "expected a map, got " + std::string{node_kind(found->second.value)});
    }
    section.values = values(section.written, keys);
    return section;
}

Settings Walker::values(ConfigEntries const& written, std::span<KeyDeclaration const> keys)
{
    Settings values;
    for (KeyDeclaration const& key : keys) {
        values.set_standard(key);
        const auto found = written.find(key.name);
        if (found == written.end())
            continue;
        if (auto value = std::visit([&](auto const& declared) { return read(found->second, declared); }, key.value))
            values.set(key.name, std::move(*value));
    }
    return values;
}

std::optional<std::string> Walker::text(ConfigEntry const& entry, std::string_view expected)
{
    if (entry.value.IsScalar() && !entry.value.Scalar().empty())
        return entry.value.Scalar();
    const auto got = entry.value.IsScalar() ? std::string_view{"empty text"} : node_kind(entry.value);
    add(entry, "expected " + std::string{expected} + ", got " + std::string{got});
    return std::nullopt;
}

std::optional<seconds> Walker::duration(ConfigEntry const& entry)
{
    const auto written = text(entry, "a duration such as 90m");
    if (!written)
        return std::nullopt;
    const auto value = parse_duration(*written);
    if (value)
        return *value;
    add(entry, value.error().message);
    return std::nullopt;
}

std::optional<seconds> Walker::duration(ConfigEntry const& entry, seconds least, seconds most)
{
    const auto value = duration(entry);
    if (!value || (*value >= least && *value <= most))
        return value;
    add(entry, "expected " + to_text(least) + " to " + to_text(most) + ", got " + to_text(*value));
    return std::nullopt;
}

std::optional<std::size_t> Walker::choice(ConfigEntry const& entry, std::span<std::string_view const> words)
{
    const std::string expected = one_of(words);
    const auto written = text(entry, expected);
    if (!written)
        return std::nullopt;
    if (const auto found = std::find(words.begin(), words.end(), *written); found != words.end())
        return static_cast<std::size_t>(found - words.begin());
    const auto meant = nearest(*written, words);
    add(entry, "expected " + expected + ", got " + in_quotes(*written) +
                   (meant ? "; did you mean " + std::string{*meant} + "?" : ""));
    return std::nullopt;
}

/// `prefix` comes before what is found: the file's name.
bool Walker::passes(ConfigEntry const& entry, KeyCheck check, std::string_view value, std::string const& prefix)
{
    if (check == nullptr)
        return true;
    KeyFinding found = check(value);
    if (!found.error.empty()) {
        add(entry, prefix + found.error);
        return false;
    }
    if (!found.warning.empty())
        mistakes_.warn(entry.at, entry.key, std::move(found.warning));
    return true;
}

Walker::ReadValue Walker::read(ConfigEntry const&, OwnRule const&)
{
    return std::nullopt;
}

Walker::ReadValue Walker::read(ConfigEntry const& entry, TextKey const& key)
{
    auto written = text(entry, key.expected);
    if (!written || !passes(entry, key.check, *written))
        return std::nullopt;
    return std::move(*written);
}

Walker::ReadValue Walker::read(ConfigEntry const& entry, UrlKey const& key)
{
    const std::string scheme{key.scheme};
    auto written = text(entry, "a URL such as " + scheme + "://host:port");
    if (!written)
        return std::nullopt;
    const auto url = parse_url(*written);
    if (!url) {
        add(entry, url.error());
        return std::nullopt;
    }
    if (url->scheme != scheme) {
        add(entry, "expected " + scheme + "://, got " + url->scheme + "://");
        return std::nullopt;
    }
    return std::move(*written);
}

Walker::ReadValue Walker::read(ConfigEntry const& entry, PathKey const& key)
{
    const auto written = text(entry, key.expected);
    if (!written)
        return std::nullopt;
    std::string path = beside_config(*written);
    if (key.check_content != nullptr) {
        const auto file = read_file(path);
        if (!file) {
            add(entry, printable(path) + " " + file.error());
            return std::nullopt;
        }
        if (!passes(entry, key.check_content, file->content, printable(path) + " "))
            return std::nullopt;
    }
    return path;
}

Walker::ReadValue Walker::read(ConfigEntry const& entry, DurationKey const& key)
{
    const auto value = duration(entry, key.least, key.most);
    return value ? ReadValue{*value} : std::nullopt;
}

Walker::ReadValue Walker::read(ConfigEntry const& entry, RoleDurationsKey const& key)
{
    if (!entry.value.IsMap()) {
        const auto for_all = duration(entry, key.least, key.most);
        return for_all ? ReadValue{EarlyJoin{*for_all}} : std::nullopt;
    }
    const ConfigEntries doors = known_entries(entry, keys_.doors);
    const auto door = [&](std::string_view name) {
        const auto found = doors.find(name);
        return found == doors.end() ? std::nullopt : duration(found->second, key.least, key.most);
    };
    EarlyJoin early = key.standard;
    if (const auto others = door("default"))
        early = EarlyJoin{*others};
    for (const Role role : {Role::subscriber, Role::publisher, Role::publisheronly, Role::moderator})
        if (const auto own = door(to_text(role)))
            early.set(role, *own);
    return early;
}

Walker::ReadValue Walker::read(ConfigEntry const& entry, NumberKey const& key)
{
    const std::string expected = std::to_string(key.least) + " to " + std::to_string(key.most);
    const auto written = text(entry, expected);
    if (!written)
        return std::nullopt;
    std::int64_t value = 0;
    auto const* const end = written->data() + written->size();
    const auto [stop, error] = std::from_chars(written->data(), end, value);
    if (error != std::errc{} || stop != end || value < key.least || value > key.most) {
        add(entry, "expected " + expected + ", got " + in_quotes(*written));
        return std::nullopt;
    }
    return value;
}

Walker::ReadValue Walker::read(ConfigEntry const& entry, ChoiceKey const& key)
{
    const auto index = choice(entry, key.words);
    return index ? ReadValue{Settings::Choice{*index}} : std::nullopt;
}

/// What is written here may be the secret itself, so no message repeats it.
Walker::ReadValue Walker::read(ConfigEntry const& entry, SecretKey const& key)
{
    if (entry.value.IsScalar()) {
        add(entry, "a secret must not stand in this file; put it into a file of its own, readable by usher alone, and "
                   "write {file: PATH} or {credential: NAME}");
        return std::nullopt;
    }
    const bool is_pair = entry.value.IsMap() && entry.value.size() == 1;
    const std::string source =
        is_pair && entry.value.begin()->first.IsScalar() ? entry.value.begin()->first.Scalar() : std::string{};
    if (source != "file" && source != "credential") {
        add(entry, "expected {file: PATH} or {credential: NAME}");
        return std::nullopt;
    }
    const YAML::Node named = entry.value.begin()->second;
    const Position at = position_of(named.Mark());
    const ConfigEntry place{named, under(entry.key, source), at.line == 0 ? entry.at : at};
    const bool is_file = source == "file";
    const auto written = text(place, is_file ? "the path of a file" : "the name of a credential");
    if (!written)
        return std::nullopt;
    const std::string path = beside_config(*written);
    std::string shown = is_file ? path : "credential " + *written;
    if (secrets_ == Secrets::leave)
        return Settings::Kept{Secret{std::string{}}, std::move(shown)};
    auto secret = is_file ? secret_of_file(path) : secret_of_credential(*written);
    if (!secret) {
        add(place, secret.error());
        return std::nullopt;
    }
    if (!passes(entry, key.check, secret->reveal()))
        return std::nullopt;
    return Settings::Kept{std::move(*secret), std::move(shown)};
}

} // namespace usher
