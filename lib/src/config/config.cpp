// SPDX-License-Identifier: Apache-2.0
#include <usher/config/config.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace usher {

std::string const& ProjectConfig::project_key() const
{
    return settings.text(kind->project_key);
}

std::string const& ProjectConfig::key_source() const
{
    return settings.source(kind->secret);
}

std::uint64_t ProjectConfig::connection_hash() const
{
    if (kind->connection.empty())
        return stable_hash("\n\n"); // stored already, from when every kind had three such keys
    std::string text;
    bool first = true;
    for (KeyDeclaration const& key : kind->connection) {
        auto const* const words = std::get_if<ChoiceKey>(&key.value);
        if (words != nullptr || settings.is_text(key.name))
            text.append(std::exchange(first, false) ? "" : "\n")
                .append(words != nullptr ? words->words[settings.choice(key.name)] : settings.text(key.name));
    }
    return stable_hash(text);
}

Result<TokenSigner> ProjectConfig::signer(TokenFormat format) const
{
    const bool takes = std::find(kind->formats.begin(), kind->formats.end(), format) != kind->formats.end();
    return kind->signer(name, settings, takes ? format : token_format);
}

Policy Config::policy_for(ProjectConfig const& project) const
{
    Policy policy = base;
    policy.max_token_life = project.max_token_life;
    policy.rotation_margin = project.rotation_margin;
    policy.replace_on_removal = project.replace_on_removal;
    policy.disconnect_on_cancel = project.disconnect_on_cancel;
    policy.disconnect_at_close = project.disconnect_at_close;
    return policy;
}

} // namespace usher
