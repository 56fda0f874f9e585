// SPDX-License-Identifier: Apache-2.0
#include <usher/config/load.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include <usher/core/ascii.hpp>
#include <usher/core/printable.hpp>

#include "config/document.hpp"
#include "config/keys.hpp"
#include "config/mistakes.hpp"
#include "config/walker.hpp"

namespace usher {

namespace {

constexpr std::size_t projects_max = 1000;
constexpr std::size_t project_name_bytes_max = 64;

bool is_project_name(std::string_view name)
{
    return !name.empty() && name.size() <= project_name_bytes_max && std::all_of(name.begin(), name.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
    });
}

seconds standard_life(ProviderDeclaration const& kind)
{
    return std::min(Policy{}.max_token_life, kind.life_limit - seconds{1});
}

/// What is the same for all projects, read before them.
struct CommonSettings {
    Policy base;
    ConfigEntries tokens;          ///< As written.
    std::optional<seconds> margin; ///< `tokens.rotation_margin`, where it was written.
};

class Loader {
public:
    Loader(std::string const& path, ProviderDeclarations const& kinds, Secrets secrets)
        : path_{path},
          kinds_{kinds},
          keys_{kinds},
          mistakes_{path},
          walker_{std::filesystem::path{path}.parent_path(), secrets, keys_, mistakes_}
    {
        for (ProviderDeclaration const* const kind : kinds)
            kind_names_.push_back(kind->name);
        for (TokenFormat const& format : formats_)
            format_names_.push_back(format.id());
    }

    tl::expected<Config, std::vector<ConfigError>> load()
    {
        const std::string needed = "projects: {<name>: {provider: " + std::string{kinds_.front()->name} + "}}";
        const auto root = read_document(path_, needed);
        if (!root) {
            mistakes_.add(root.error().at, "", root.error().message);
            return tl::unexpected{mistakes_.errors()};
        }
        Config config = read_root(*root);
        if (!mistakes_.none())
            return tl::unexpected{mistakes_.errors()};
        config.warnings = mistakes_.warnings();
        return config;
    }

private:
    Config read_root(ConfigEntry const& root)
    {
        Config config{};
        if (!root.value.IsMap()) {
            walker_.add(root, "expected a map of settings, got " + std::string{node_kind(root.value)});
            return config;
        }
        const ConfigEntries map = walker_.known_entries(root, keys_.root);
        const Settings values = walker_.values(map, keys_.root);
        const Section sessions = walker_.section(map, "sessions", keys_.sessions);
        Section tokens = walker_.section(map, "tokens", keys_.tokens);
        const Section log = walker_.section(map, "log", keys_.log);
        const Section status = walker_.section(map, "status", keys_.status);

        config.database = values.text("database");
        config.base.clock_skew = values.duration("clock_skew");
        config.base.retention = values.duration("retention");
        config.base.session_lead = sessions.values.duration("lead");
        config.base.token_lead = tokens.values.duration("lead");
        config.base.early_join = tokens.values.early_join("early_join");
        config.base.grace = tokens.values.duration("grace");
        config.base.visible_at_opens = tokens.values.choice("visible") == 1;
        config.log.level = static_cast<LogLevel>(log.values.choice("level"));
        config.log.format = static_cast<LogFormat>(log.values.choice("format"));
        config.status = read_status(status);

        CommonSettings common{config.base, std::move(tokens.written), std::nullopt};
        if (tokens.values.has("rotation_margin"))
            common.margin = tokens.values.duration("rotation_margin");
        const auto projects = map.find("projects");
        if (projects == map.end())
            mistakes_.add(root.at, "projects", "expected a map with at least one project, got nothing");
        else
            config.projects = read_projects(projects->second, common);
        return config;
    }

    StatusConfig read_status(Section const& section)
    {
        StatusConfig status;
        if (section.values.has("server_name"))
            status.server_name = section.values.text("server_name");
        std::string const& listen = section.values.text("listen");
        if (listen == "off")
            return status;
        status.listen = *parse_listen(listen);
        const bool allows_remote = section.values.choice("allow_remote") == 1;
        if (!status.listen->is_local() && !allows_remote)
            walker_.add(
                section.written.find("listen")->second,
                "expected an address of this machine alone, such as 127.0.0.1:9787; whoever reaches " + listen +
                    " sees which meetings there are, without a password: write 'allow_remote: true' where that is meant"
            );
        return status;
    }

    std::vector<ProjectConfig> read_projects(ConfigEntry const& projects, CommonSettings const& common)
    {
        std::vector<ProjectConfig> read;
        if (!projects.value.IsMap() || projects.value.size() == 0) {
            const auto got = projects.value.IsMap() ? std::string_view{"an empty map"} : node_kind(projects.value);
            walker_.add(projects, "expected a map with at least one project, got " + std::string{got});
            return read;
        }
        if (projects.value.size() > projects_max) {
            walker_.add(
                projects, "expected at most " + std::to_string(projects_max) + " projects, got " +
                              std::to_string(projects.value.size())
            );
            return read;
        }
        std::vector<std::string> order; // the map sorts by name; the file's order is kept here
        const ConfigEntries map = walker_.entries(projects, [&](std::string const& name, Position at) {
            if (is_project_name(name)) {
                order.push_back(name);
                return true;
            }
            mistakes_.add(
                at, "projects", "expected a name of 1 to 64 letters, digits, '_', '-' and '.', got " + in_quotes(name)
            );
            return false;
        });
        for (std::string const& name : order) {
            if (mistakes_.full())
                break;
            ConfigEntry const& entry = map.find(name)->second;
            if (entry.value.IsMap())
                read.push_back(read_project(name, entry, common));
            else
                walker_.add(
                    entry, "expected a map with at least a provider, got " + std::string{node_kind(entry.value)}
                );
        }
        return read;
    }

    ProjectConfig read_project(std::string const& name, ConfigEntry const& project, CommonSettings const& common)
    {
        const ConfigEntries map = walker_.known_entries(project, keys_.project);
        ProviderDeclaration const* const named = read_kind(project, map);
        if (named != nullptr)
            check_keys(project, map, *named);
        // What is written is checked even where nobody knows for which kind it was meant.
        ProviderDeclaration const& kind = named != nullptr ? *named : *kinds_.front();
        Settings settings = walker_.values(map, provider_keys(kind));
        const Settings policies = walker_.values(map, policy_keys());
        const TokenFormat format = read_format(map, kind);
        const auto life = read_life(map, kind, common.base.clock_skew);
        if (life)
            check_policy(project, map, *life, common);

        const seconds token_life = life.value_or(standard_life(kind));
        ProjectConfig config{name,   &kind,      std::move(settings),
                             format, token_life, common.margin.value_or(token_life / 3)};
        config.replace_on_removal = policies.choice("on_removal") == 1;
        config.disconnect_on_cancel = policies.choice("on_cancel") == 1;
        config.disconnect_at_close = policies.choice("hard_end") == 1;
        return config;
    }

    /// Null when it is missing or unknown.
    ProviderDeclaration const* read_kind(ConfigEntry const& project, ConfigEntries const& map)
    {
        const auto found = map.find("provider");
        if (found == map.end()) {
            std::string names;
            for (const std::string_view name : kind_names_)
                names.append(names.empty() ? "" : ", ").append(name);
            mistakes_.add(project.at, under(project.key, "provider"), "expected one of " + names + ", got nothing");
            return nullptr;
        }
        const auto index = walker_.choice(found->second, kind_names_);
        return index ? kinds_[*index] : nullptr;
    }

    /// The keys that the kind needs are there, and those of other kinds are not.
    void check_keys(ConfigEntry const& project, ConfigEntries const& map, ProviderDeclaration const& kind)
    {
        const std::vector<KeyDeclaration> own = keys_of(kind);
        for (KeyDeclaration const& key : own)
            if (key.required && !map.contains(key.name))
                mistakes_.add(
                    project.at, under(project.key, key.name), "is needed by provider " + std::string{kind.name}
                );
        for (KeyDeclaration const& key : keys_.project) {
            const auto found = map.find(key.name);
            const auto is_it = [&](KeyDeclaration const& other) { return other.name == key.name; };
            if (found != map.end() && std::none_of(own.begin(), own.end(), is_it))
                walker_.add(found->second, belongs_to(key.name, kind, kinds_));
        }
    }

    TokenFormat read_format(ConfigEntries const& map, ProviderDeclaration const& kind)
    {
        const auto found = map.find("token_format");
        if (found == map.end())
            return kind.standard_format;
        const auto index = walker_.choice(found->second, format_names_);
        if (!index)
            return kind.standard_format;
        const TokenFormat format = formats_[*index];
        if (std::find(kind.formats.begin(), kind.formats.end(), format) != kind.formats.end())
            return format;
        std::vector<std::string_view> own;
        for (TokenFormat const& other : kind.formats)
            own.push_back(other.id());
        walker_.add(
            found->second, "expected " + listed(own) +
                               (own.size() == 1 ? ", the only format of provider " : ", the formats of provider ") +
                               std::string{kind.name} + ", got " + in_quotes(format.id())
        );
        return kind.standard_format;
    }

    std::optional<seconds> read_life(ConfigEntries const& map, ProviderDeclaration const& kind, seconds clock_skew)
    {
        const seconds least = 10 * (clock_skew + seconds{1});
        const auto found = map.find("max_token_life");
        if (found == map.end())
            return standard_life(kind);
        const auto life = walker_.duration(found->second);
        if (!life || (*life >= least && *life < kind.life_limit))
            return life;
        walker_.add(
            found->second, "expected at least " + to_text(least) + " (ten times clock_skew and one second) and " +
                               "less than " + to_text(kind.life_limit) + ", got " + to_text(*life)
        );
        return std::nullopt;
    }

    void check_policy(ConfigEntry const& project, ConfigEntries const& map, seconds life, CommonSettings const& common)
    {
        const std::string life_key = under(project.key, "max_token_life");
        const auto life_entry = map.find("max_token_life");
        const Position life_at = life_entry == map.end() ? project.at : life_entry->second.at;
        const seconds spread_range = life / 12;
        if (common.margin && *common.margin + spread_range > life / 2)
            walker_.add(
                common.tokens.find("rotation_margin")->second,
                "the policy loops: with a margin of " + to_text(*common.margin) + " and a spread of " +
                    to_text(spread_range) + ", tokens are replaced in the first half of their life, which is " +
                    to_text(life) + " by " + life_key + "; expected at most " + to_text(life / 2 - spread_range)
            );
        if (common.base.token_lead > life) {
            const auto lead = common.tokens.find("lead");
            const Position at = lead == common.tokens.end() ? life_at : lead->second.at;
            mistakes_.warn(
                at, "tokens.lead",
                to_text(common.base.token_lead) + " is longer than a token lives, which is " + to_text(life) + " by " +
                    life_key + ": tokens are replaced again and again before their meeting opens"
            );
        }
    }

    std::string path_;
    ProviderDeclarations const& kinds_;
    std::vector<TokenFormat> formats_{formats_of(kinds_)};
    std::vector<std::string_view> kind_names_;
    std::vector<std::string_view> format_names_;
    ConfigKeys keys_;
    Mistakes mistakes_;
    Walker walker_;
};

} // namespace

tl::expected<Config, std::vector<ConfigError>>
load_config(std::string const& path, ProviderDeclarations const& kinds, Secrets secrets)
{
    return Loader{path, kinds, secrets}.load();
}

Config default_config(std::string database_path, ProviderDeclarations const& kinds)
{
    ProviderDeclaration const& kind = *kinds.front();
    Config config{};
    config.database = std::move(database_path);
    Settings settings;
    for (KeyDeclaration const& key : provider_keys(kind))
        settings.set_standard(key);
    const seconds life = standard_life(kind);
    config.projects.push_back(ProjectConfig{"default", &kind, std::move(settings), kind.standard_format, life, life / 3}
    );
    return config;
}

std::vector<std::string> configuration_keys(ProviderDeclarations const& kinds)
{
    const ConfigKeys keys{kinds};
    std::vector<std::string> all;
    const auto add = [&all](std::string const& section, std::vector<KeyDeclaration> const& own) {
        for (KeyDeclaration const& key : own)
            all.push_back(section + std::string{key.name});
    };
    add("", keys.root);
    add("projects.", keys.project);
    add("sessions.", keys.sessions);
    add("tokens.", keys.tokens);
    add("log.", keys.log);
    add("status.", keys.status);
    return all;
}

} // namespace usher
