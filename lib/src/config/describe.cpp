// SPDX-License-Identifier: Apache-2.0
#include <usher/config/describe.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include "config/keys.hpp"

namespace usher {

namespace {

struct About {
    std::string_view key; ///< As configuration_keys() has it.
    std::string_view sentence;
};

constexpr std::array abouts{
    About{"database", "The database that the platform and usher share; a relative path is taken from this folder."},
    About{"clock_skew", "Tokens are dated back by this, since the vendor refuses one from the future."},
    About{"retention", "What ended or is gone is kept this long."},
    About{"projects.provider", "Who makes the sessions."},
    About{"projects.api_key", "The project's API key."},
    About{"projects.api_secret", "Where the project's secret is; never the secret itself."},
    About{"projects.application_id", "The application's id, a UUID."},
    About{"projects.private_key", "Where the application's private key is, in PEM."},
    About{"projects.token_format", "The form of the tokens."},
    About{"projects.max_token_life", "The longest that a token lives."},
    About{"projects.base_url", "Where the vendor is reached."},
    About{"projects.ca_file", "The certificates to trust, in PEM, instead of the system's."},
    About{"projects.proxy", "A proxy that is asked to CONNECT."},
    About{"projects.connect_timeout", "How long a connection may take."},
    About{"projects.timeout", "How long a whole call may take."},
    About{"projects.concurrency", "Calls at the same time."},
    About{"projects.rate", "Calls a second in the long run."},
    About{"projects.burst", "Calls at once after a pause."},
    About{"projects.on_removal", "What is done when somebody is removed before the meeting opens."},
    About{"projects.on_cancel", "What is done to whoever is in a meeting that is cancelled or deleted."},
    About{"projects.hard_end", "What is done to whoever is still there when the meeting closes."},
    About{"sessions.lead", "A session exists this long before its meeting opens."},
    About{"tokens.lead", "Tokens are ready this long before their meeting opens."},
    About{"tokens.early_join", "A meeting opens this long before it starts; one duration, or one for each role."},
    About{"tokens.grace", "A meeting closes this long after it ends."},
    About{
        "tokens.rotation_margin",
        "A token is replaced before less than this is left; a third of max_token_life unless given."},
    About{"tokens.visible", "Whether a credential is shown as soon as it is there, or when its holder's door opens."},
    About{"log.level", "The least important lines that are written."},
    About{"log.format", "The form of the log's lines."},
    About{
        "status.listen",
        "Where metrics, health and the status page are served: ADDRESS:PORT, a socket's path, or off."},
    About{"status.server_name", "Another name by which the status page may be asked for."},
    About{"status.allow_remote", "Whether listen may be an address that other machines reach."},
};

std::string text_of(EarlyJoin const& early)
{
    const seconds others = early.of(Role::subscriber);
    std::string roles;
    for (const Role role : {Role::publisher, Role::publisheronly, Role::moderator})
        if (early.of(role) != others)
            roles += std::string{to_text(role)} + ": " + to_text(early.of(role)) + ", ";
    return roles.empty() ? to_text(others) : "{" + roles + "default: " + to_text(others) + "}";
}

/// Fills in what a kind of value declares.
struct Describe {
    KeyDescription& key;

    void operator()(OwnRule const&) const {}
    void operator()(TextKey const& value) const
    {
        key.form = KeyForm::text;
        set_standard(value.standard);
    }
    void operator()(UrlKey const& value) const
    {
        key.form = KeyForm::url;
        key.scheme = value.scheme;
        set_standard(value.standard);
    }
    void operator()(PathKey const& value) const
    {
        key.form = KeyForm::path;
        set_standard(value.standard);
    }
    void operator()(DurationKey const& value) const
    {
        key.form = KeyForm::duration;
        key.range = to_text(value.least) + " to " + to_text(value.most);
        if (value.standard)
            key.standard = to_text(*value.standard);
    }
    void operator()(RoleDurationsKey const& value) const
    {
        key.form = KeyForm::role_durations;
        key.range = to_text(value.least) + " to " + to_text(value.most);
        key.standard = text_of(value.standard);
    }
    void operator()(NumberKey const& value) const
    {
        key.form = KeyForm::number;
        key.least = value.least;
        key.most = value.most;
        key.standard = std::to_string(value.standard);
    }
    void operator()(ChoiceKey const& value) const
    {
        key.form = KeyForm::choice;
        key.words.assign(value.words.begin(), value.words.end());
        key.standard = value.words[value.standard];
    }
    void operator()(SecretKey const&) const { key.form = KeyForm::secret; }

private:
    void set_standard(std::string_view standard) const
    {
        if (!standard.empty())
            key.standard = standard;
    }
};

/// A value of declared keys as the file would have it.
std::string text_of(Settings const& settings, KeyDeclaration const& key)
{
    struct Text {
        Settings const& settings;
        std::string_view name;

        std::string operator()(OwnRule const&) const { return {}; }
        std::string operator()(TextKey const&) const { return settings.text(name); }
        std::string operator()(UrlKey const&) const { return settings.text(name); }
        std::string operator()(PathKey const&) const { return settings.text(name); }
        std::string operator()(DurationKey const&) const { return to_text(settings.duration(name)); }
        std::string operator()(RoleDurationsKey const&) const { return text_of(settings.early_join(name)); }
        std::string operator()(NumberKey const&) const { return std::to_string(settings.number(name)); }
        std::string operator()(ChoiceKey const& key) const { return std::string{key.words[settings.choice(name)]}; }
        std::string operator()(SecretKey const&) const { return settings.source(name); }
    };
    return settings.has(key.name) ? std::visit(Text{settings, key.name}, key.value) : std::string{};
}

} // namespace

std::vector<KeyDescription> describe_keys(ProviderDeclarations const& kinds)
{
    const ConfigKeys keys{kinds};
    std::vector<KeyDescription> all;
    const auto add = [&](std::string const& section, std::vector<KeyDeclaration> const& own) {
        for (KeyDeclaration const& key : own) {
            const bool holds_others = std::holds_alternative<OwnRule>(key.value) && section.empty();
            if (holds_others)
                continue;
            KeyDescription& described = all.emplace_back();
            described.section = section;
            described.name = key.name;
            const std::string full = section.empty() ? described.name : section + "." + described.name;
            if (const auto found =
                    std::find_if(abouts.begin(), abouts.end(), [&](About const& about) { return about.key == full; });
                found != abouts.end())
                described.about = found->sentence;
            std::visit(Describe{described}, key.value);
        }
    };
    add("", keys.root);
    add("projects", keys.project);
    add("sessions", keys.sessions);
    add("tokens", keys.tokens);
    add("log", keys.log);
    add("status", keys.status);
    // What is the same key for several kinds of providers may have a default for one of them only.
    for (KeyDescription& key : all) {
        if (key.section != "projects")
            continue;
        if (key.name == "provider") {
            key.form = KeyForm::choice;
            key.required = true;
            for (ProviderDeclaration const* const kind : kinds)
                key.words.push_back(kind->name);
        } else if (key.name == "token_format") {
            key.form = KeyForm::choice;
            for (TokenFormat const& format : formats_of(kinds))
                key.words.push_back(format.id());
        } else if (key.name == "max_token_life") {
            key.form = KeyForm::duration;
            key.range = "ten times clock_skew and one second, to less than 30d";
            key.standard = to_text(Policy{}.max_token_life);
        } else {
            std::vector<std::optional<std::string>> standards;
            for (ProviderDeclaration const* const kind : kinds)
                for (KeyDeclaration const& own : keys_of(*kind))
                    if (own.name == key.name) {
                        KeyDescription of_kind;
                        std::visit(Describe{of_kind}, own.value);
                        standards.push_back(of_kind.standard);
                    }
            const bool same = std::all_of(standards.begin(), standards.end(), [&](auto const& other) {
                return other == standards.front();
            });
            if (!same)
                key.standard.reset();
        }
    }
    return all;
}

std::vector<KeyDifference> differences(Config const& config)
{
    std::vector<KeyDifference> found;
    const auto compare = [&](std::string key, std::string standard, std::string value) {
        if (standard != value)
            found.push_back({std::move(key), std::move(standard), std::move(value)});
    };
    const Policy standard;
    const auto visible = [](Policy const& policy) { return policy.visible_at_opens ? "at_opens" : "at_once"; };
    constexpr std::array levels{"debug", "info", "warning", "error"};
    constexpr std::array formats{"auto", "text", "json", "journal"};
    Policy const& base = config.base;
    compare("database", "/var/lib/usher/usher.db", config.database);
    for (ProjectConfig const& project : config.projects) {
        const std::string prefix = "projects." + project.name + ".";
        if (!project.kind->pretends) // as the one does that is there without a configuration
            compare(prefix + "provider", "", std::string{project.kind->name});
        Settings standards;
        for (KeyDeclaration const& key : provider_keys(*project.kind)) {
            standards.set_standard(key);
            // What is required has no default; of a secret, the default has no source.
            compare(
                prefix + std::string{key.name}, key.required ? std::string{} : text_of(standards, key),
                text_of(project.settings, key)
            );
        }
        compare(
            prefix + "token_format", std::string{project.kind->standard_format.id()},
            std::string{project.token_format.id()}
        );
        compare(
            prefix + "max_token_life",
            to_text(std::min(standard.max_token_life, project.kind->life_limit - seconds{1})),
            to_text(project.max_token_life)
        );
        compare(prefix + "on_removal", "keep", project.replace_on_removal ? "replace_session" : "keep");
        compare(prefix + "on_cancel", "keep", project.disconnect_on_cancel ? "disconnect" : "keep");
        compare(prefix + "hard_end", "off", project.disconnect_at_close ? "disconnect" : "off");
    }
    compare("sessions.lead", to_text(standard.session_lead), to_text(base.session_lead));
    compare("tokens.lead", to_text(standard.token_lead), to_text(base.token_lead));
    compare("tokens.early_join", text_of(standard.early_join), text_of(base.early_join));
    compare("tokens.grace", to_text(standard.grace), to_text(base.grace));
    if (!config.projects.empty()) { // one for all, or a part of each project's token life
        ProjectConfig const& first = config.projects.front();
        const bool written = std::any_of(config.projects.begin(), config.projects.end(), [](auto const& project) {
            return project.rotation_margin != project.max_token_life / 3;
        });
        if (written)
            compare("tokens.rotation_margin", "a third of max_token_life", to_text(first.rotation_margin));
    }
    compare("tokens.visible", visible(standard), visible(base));
    compare("clock_skew", to_text(standard.clock_skew), to_text(base.clock_skew));
    compare("retention", to_text(standard.retention), to_text(base.retention));
    compare("log.level", levels[1], levels[static_cast<std::size_t>(config.log.level)]);
    compare("log.format", formats[0], formats[static_cast<std::size_t>(config.log.format)]);
    compare("status.listen", "off", config.status.listen ? to_text(*config.status.listen) : "off");
    compare("status.server_name", "", config.status.server_name);
    return found;
}

} // namespace usher
