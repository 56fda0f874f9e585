// SPDX-License-Identifier: Apache-2.0
#include "reasons.hpp"

#include <algorithm>

#include "page.hpp"

namespace usher::ctl {
namespace {

constexpr std::string_view reload = "; systemctl reload usher";

ProjectConfig const* find_project(Config const* config, std::string_view name)
{
    if (config == nullptr)
        return nullptr;
    const auto found = std::find_if(config->projects.begin(), config->projects.end(), [&](ProjectConfig const& each) {
        return each.name == name;
    });
    return found == config->projects.end() ? nullptr : &*found;
}

bool is_of_the_platform(std::string_view code)
{
    return code == "row_invalid" || code == "options_invalid" || code == "provider_refused";
}

} // namespace

std::string headline(Reason const& reason)
{
    const std::string project = whole(reason.project);
    if (reason.code == "unknown_project")
        return "project " + project + " is not in the configuration";
    if (reason.code == "credentials_refused")
        return "the vendor refuses " + project + "'s secret";
    if (reason.code == "clock_skewed")
        return "this machine's clock is not the vendor's";
    if (reason.code == "provider_not_found" || reason.code == "provider_redirects")
        return "the base_url of " + project + " is not the vendor's";
    if (reason.code == "options_invalid" || reason.code == "provider_refused")
        return "the vendor refuses the options of the platform";
    if (reason.code == "session_of_another_project")
        return "the platform's session_id is of another project than " + project;
    if (reason.code == "row_invalid")
        return "the platform's row is not valid";
    return {};
}

bool says_all(std::string_view code)
{
    return code == "unknown_project";
}

std::string way_out(Reason const& reason, Config const* config)
{
    const std::string project = whole(reason.project);
    const std::string meeting = whole(reason.meeting);
    if (reason.code == "unknown_project")
        return "add " + project + " under projects: in usher.yaml" + std::string{reload};
    if (reason.code == "credentials_refused") {
        ProjectConfig const* const found = find_project(config, reason.project);
        const bool named = found != nullptr && !found->key_source().empty();
        return "correct " + (named ? whole(found->key_source()) : "the secret of " + project) + std::string{reload};
    }
    if (reason.code == "clock_skewed")
        return "timedatectl set-ntp true";
    if (reason.code == "provider_not_found" || reason.code == "provider_redirects")
        return "correct base_url of " + project + std::string{reload};
    if (reason.code == "session_of_another_project")
        return "the platform corrects session_id or project of " + meeting + "; usher follows";
    if (is_of_the_platform(reason.code))
        return "the platform corrects the row of " + meeting + "; usher follows";
    return "usherctl explain " + argument(reason.meeting);
}

} // namespace usher::ctl
