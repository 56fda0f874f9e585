// SPDX-License-Identifier: Apache-2.0
#include "config/keys.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <span>

#include <usher/config/config.hpp>
#include <usher/config/listen.hpp>

namespace usher {

namespace {

constexpr seconds second{1};
constexpr seconds minute{60};
constexpr seconds hour{3600};
constexpr seconds day{24 * 3600};
constexpr Policy standard{};
constexpr std::size_t host_name_bytes_max = 253;

constexpr std::array<std::string_view, 2> visible_words{"at_once", "at_opens"};
constexpr std::array<std::string_view, 2> yes_no_words{"false", "true"};
constexpr std::array<std::string_view, 2> on_removal_words{"keep", "replace_session"};
constexpr std::array<std::string_view, 2> on_cancel_words{"keep", "disconnect"};
constexpr std::array<std::string_view, 2> hard_end_words{"off", "disconnect"};

KeyFinding check_listen(std::string_view text)
{
    if (text == "off")
        return {};
    const auto address = parse_listen(text);
    return address ? KeyFinding{} : KeyFinding{address.error(), {}};
}

KeyFinding check_host_name(std::string_view text)
{
    const auto belongs = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    };
    if (text.size() <= host_name_bytes_max && std::all_of(text.begin(), text.end(), belongs))
        return {};
    return {"expected the name of a host, in lower case and without a port", {}};
}

/// How hard a provider may be asked.
constexpr std::array pace_keys{
    KeyDeclaration{"concurrency", NumberKey{1, 256, 8}},
    KeyDeclaration{"rate", NumberKey{1, 10'000, 5}},
    KeyDeclaration{"burst", NumberKey{1, 10'000, 10}},
};
constexpr std::array renewal_keys{KeyDeclaration{"on_removal", ChoiceKey{on_removal_words}}};
constexpr std::array disconnect_keys{
    KeyDeclaration{"on_cancel", ChoiceKey{on_cancel_words}},
    KeyDeclaration{"hard_end", ChoiceKey{hard_end_words}},
};

/// Keys in the order in which they are added, each name once.
class KeyList {
public:
    KeyList& add(std::span<KeyDeclaration const> more)
    {
        for (KeyDeclaration const& key : more)
            if (std::none_of(keys_.begin(), keys_.end(), [&](KeyDeclaration const& known) {
                    return known.name == key.name;
                }))
                keys_.push_back(key);
        return *this;
    }

    std::vector<KeyDeclaration> const& keys() const { return keys_; }

private:
    std::vector<KeyDeclaration> keys_;
};

/// Of projects, in the order in which people are told of them.
std::vector<KeyDeclaration> keys_of(ProviderDeclarations const& kinds)
{
    constexpr std::array first{KeyDeclaration{"provider", OwnRule{}}};
    constexpr std::array of_tokens{
        KeyDeclaration{"token_format", OwnRule{}}, KeyDeclaration{"max_token_life", OwnRule{}}};
    KeyList list;
    list.add(first);
    for (ProviderDeclaration const* const kind : kinds)
        list.add(kind->credentials);
    list.add(of_tokens);
    for (ProviderDeclaration const* const kind : kinds)
        list.add(kind->connection);
    for (ProviderDeclaration const* const kind : kinds)
        if (kind->uses_network())
            list.add(pace_keys);
    for (ProviderDeclaration const* const kind : kinds)
        if (kind->orders_sessions)
            list.add(renewal_keys);
    for (ProviderDeclaration const* const kind : kinds)
        if (kind->disconnects)
            list.add(disconnect_keys);
    return list.keys();
}

KeyDeclaration const* find_key(std::span<KeyDeclaration const> keys, std::string_view name)
{
    const auto found =
        std::find_if(keys.begin(), keys.end(), [&](KeyDeclaration const& key) { return key.name == name; });
    return found == keys.end() ? nullptr : &*found;
}

} // namespace

ConfigKeys::ConfigKeys(ProviderDeclarations const& kinds)
    : root{
          {"database", PathKey{"the path of the database", nullptr, "/var/lib/usher/usher.db"}},
          {"projects", OwnRule{}},
          {"sessions", OwnRule{}},
          {"tokens", OwnRule{}},
          {"clock_skew", DurationKey{seconds{0}, 5 * minute, standard.clock_skew}},
          {"retention", DurationKey{hour, 3650 * day, standard.retention}},
          {"log", OwnRule{}},
          {"status", OwnRule{}},
      },
      project{keys_of(kinds)},
      sessions{{"lead", DurationKey{seconds{0}, 400 * day, standard.session_lead}}},
      tokens{
          {"lead", DurationKey{minute, 400 * day, standard.token_lead}},
          {"early_join", RoleDurationsKey{seconds{0}, 30 * day, standard.early_join}},
          {"grace", DurationKey{seconds{0}, 30 * day, standard.grace}},
          {"rotation_margin", DurationKey{second, 30 * day, std::nullopt}}, // a part of each project's token life
          {"visible", ChoiceKey{visible_words}},
      },
      doors{
          {"default", OwnRule{}},
          {"subscriber", OwnRule{}},
          {"publisher", OwnRule{}},
          {"publisheronly", OwnRule{}},
          {"moderator", OwnRule{}},
      },
      log{
          {"level", ChoiceKey{log_level_words, 1}},
          {"format", ChoiceKey{log_format_words}},
      },
      status{
          {"listen", TextKey{"off, or an address and port such as 127.0.0.1:9787", check_listen, "off"}},
          {"server_name", TextKey{"the name of a host", check_host_name}},
          {"allow_remote", ChoiceKey{yes_no_words}},
      }
{}

std::optional<std::string> ConfigKeys::home_of(std::string_view name) const
{
    std::optional<std::string> home;
    const auto look = [&](std::string const& section, std::vector<KeyDeclaration> const& keys) {
        if (find_key(keys, name) == nullptr)
            return 0;
        home = section + std::string{name};
        return 1;
    };
    const int homes = look("", root) + look("projects.<name>.", project) + look("sessions.", sessions) +
                      look("tokens.", tokens) + look("log.", log) + look("status.", status);
    return homes == 1 ? home : std::nullopt;
}

std::vector<KeyDeclaration> keys_of(ProviderDeclaration const& kind)
{
    return keys_of(ProviderDeclarations{&kind});
}

std::vector<KeyDeclaration> provider_keys(ProviderDeclaration const& kind)
{
    KeyList list;
    list.add(kind.credentials).add(kind.connection);
    if (kind.uses_network())
        list.add(pace_keys);
    return list.keys();
}

std::vector<KeyDeclaration> policy_keys()
{
    return KeyList{}.add(renewal_keys).add(disconnect_keys).keys();
}

std::vector<std::string_view> key_names(std::span<KeyDeclaration const> keys)
{
    std::vector<std::string_view> names;
    for (KeyDeclaration const& key : keys)
        names.push_back(key.name);
    return names;
}

std::string listed(std::vector<std::string_view> const& names)
{
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i)
        text.append(i == 0 ? "" : i + 1 == names.size() ? " and " : ", ").append(names[i]);
    return text;
}

std::string belongs_to(std::string_view key, ProviderDeclaration const& kind, ProviderDeclarations const& kinds)
{
    std::vector<std::string_view> takers;
    std::vector<std::string_view> needers;
    bool is_credential = false;
    for (ProviderDeclaration const* const other : kinds) {
        const std::vector<KeyDeclaration> keys = keys_of(*other);
        KeyDeclaration const* const found = find_key(keys, key);
        if (found == nullptr)
            continue;
        takers.push_back(other->name);
        if (found->required)
            needers.push_back(other->name);
        is_credential = is_credential || find_key(other->credentials, key) != nullptr;
    }
    std::vector<std::string_view> const& owners = needers.empty() ? takers : needers;
    std::string text = (owners.size() > 1 ? "belongs to providers " : "belongs to provider ") + listed(owners) + "; ";
    if (!is_credential && !kind.lacks_connection.empty())
        return text.append(kind.lacks_connection);
    text.append(kind.name);
    return is_credential ? text + " has " + listed(key_names(kind.credentials)) : text + " has no such key";
}

} // namespace usher
